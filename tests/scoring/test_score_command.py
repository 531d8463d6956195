"""bin/score.py as a person runs it: from an export in its own process and by both protocols, the live model's."""

import csv
import re
import shutil
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from commands import digits_export, error_line, figures, finish, run, run_without_tensorflow, start
from exports import saved_models
from PIL import Image
from servers import addresses, stand_in

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError
from nvp_tf.scoring.connect import connect
from nvp_tf.scoring.contract import recorded
from nvp_tf.scoring.saved_model import SavedModel
from nvp_tf.scoring.scorer import Refused
from nvp_tf.scoring.table import INCOMPLETE, beside


def table(file):
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def column(rows, name):
    return np.array([float(row[name]) for row in rows if not row["error"]])


@pytest.mark.parametrize(
    "name", ["grey", *(pytest.param(name, marks=pytest.mark.slow) for name in ("colour", "vector"))]
)
def test_one_image_one_score(tmp_path, name):
    flow, x, folder = saved_models()[name]
    np.save(tmp_path / "x.npy", x)
    inputs = [tmp_path / "x.npy", tmp_path / "broken.npy"]
    inputs[1].write_bytes(b"")
    live = flow.log_prob(x).numpy()
    with stand_in(name, folder, trouble=5) as (_, ports):
        servers = [f"--server={address}" for address in addresses(ports)]
        calls = [[f"--model={folder.parent}"], *([server, f"--model={name}", "--batch_size=7"] for server in servers)]
        processes = [
            start("score", *call, f"--out={tmp_path / f'{i}.csv'}", "--noprogress", *inputs)
            for i, call in enumerate(calls)
        ]
        for process in processes:
            status, _, err = finish(process)
            assert status == 0, err
    tables = [table(tmp_path / f"{i}.csv") for i in range(3)]
    for rows in tables:
        assert [row["name"] for row in rows] == [*(f"{inputs[0]}:{i}" for i in range(len(x))), str(inputs[1])]
        assert rows[-1]["error"].startswith("cannot be read") and rows[-1]["log_prob"] == ""
        np.testing.assert_allclose(column(rows, "log_prob"), live, atol=1e-3)
        # The held-out scores are of the same x: a last digit more or less passes one of them.
        np.testing.assert_allclose(column(rows, "percentile"), column(tables[0], "percentile"), atol=1)
        np.testing.assert_allclose(column(rows, "typicality"), column(tables[0], "typicality"), atol=0.02)
        np.testing.assert_allclose(column(rows, "foreign"), column(tables[0], "foreign"), atol=0.02)
        assert ("bits_per_dim" in rows[0]) == (name != "vector")


def test_every_kind_of_input_and_output(tmp_path):
    """Real digits, as pictures and arrays; what is wrong with some; one picture's line; latents."""
    flow, x, bare = saved_models()["grey"]
    folder = shutil.copytree(bare, tmp_path / "model" / "1")
    (folder / "export.json").write_text('{"levels": 17}')  # as `export` has it, with much else
    (tmp_path / "in").mkdir()
    for i in range(3):
        Image.fromarray(x[i, :, :, 0]).save(tmp_path / "in" / f"{i}.png")
    (tmp_path / "in" / "link.png").symlink_to("nowhere.png")
    (tmp_path / "in" / "notes.txt").touch()
    Image.fromarray(np.full((8, 8), 200, np.uint8)).save(tmp_path / "in" / "impossible.png")
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(tmp_path / "in" / "large.png")
    np.savez(
        tmp_path / "in" / "x.npz",
        np.concatenate([x[4:], np.full((1, 8, 8, 1), 200, np.uint8)]),
        labels=np.arange(len(x) - 4),
    )
    with tf.io.TFRecordWriter(str(tmp_path / "in" / "train-00000-of-00001"), "GZIP") as records:
        photo = tf.train.Feature(bytes_list=tf.train.BytesList(value=[x[3].tobytes()]))
        records.write(tf.train.Example(features=tf.train.Features(feature={"photo": photo})).SerializeToString())
    printed = figures("score", f"--model={folder}", "--feature=photo", f"--out={tmp_path / 's.csv'}", tmp_path / "in")
    rows = table(tmp_path / "s.csv")
    assert (printed["scored"], printed["errors"], printed["impossible"]) == (len(x) + 1, 2, 1)
    assert rows[4]["error"].startswith("has 8x9 pixels") and rows[-1]["log_prob"] == "-inf"
    assert rows[3]["error"] == "has values up to 200, expected 0 to 16 (--fit brings it to that)"
    beside = {"link.png": "a broken link", "notes.txt": "of another kind"}
    assert printed["passed_over_files"] == {str(tmp_path / "in" / name): why for name, why in beside.items()}
    assert printed["passed_over"] == 2
    good = [row for row in rows if not row["error"] and row["log_prob"] != "-inf"]
    live = flow.log_prob(x).numpy()
    np.testing.assert_allclose(column(good, "log_prob"), live, atol=1e-3)
    assert printed["mean_log_prob"] == pytest.approx(live.mean(), abs=1e-3)

    Image.fromarray(np.rint(x[0, :, :, 0] * (255 / 16)).astype(np.uint8)).save(tmp_path / "drawn.tiff")
    one = figures("score", f"--model={bare}", "--levels=17", "--fit", tmp_path / "drawn.tiff")
    assert one["log_prob"] == pytest.approx(live[0], abs=1e-3)

    out = tmp_path / "z.npz"
    figures(
        "score", f"--model={folder}", "--feature=photo", f"--out={out}", "--encode", "--noprogress", tmp_path / "in"
    )
    latents = np.load(out)["latents"]
    assert np.isnan(latents[[3, 4]]).all()
    np.testing.assert_allclose(latents[[0, 1, 2, *range(5, len(x) + 2)]], flow.encode(x).numpy(), atol=1e-3)

    split = figures("score", f"--model={folder}", f"--out={tmp_path / 'd.csv'}", "--dataset=digits", "--noprogress")
    assert split["scored"] == 297 and table(tmp_path / "d.csv")[5]["name"] == "digits/test:5"


def test_litert_answers_without_tensorflow(tmp_path):
    """What the SavedModel answers, of files of every kind that needs no TensorFlow to be read."""
    model, _ = digits_export()
    x = load_dataset(DataConfig("digits")).test._array.numpy()[:40]
    np.save(tmp_path / "x.npy", x)
    Image.fromarray(x[0, :, :, 0]).save(tmp_path / "x.png")
    inputs = [tmp_path / "x.npy", tmp_path / "x.png"]
    for kind, arguments in {"csv": [], "npz": ["--encode"]}.items():
        given = [f"--model={model}", "--noprogress", *arguments, *inputs]
        status, _, err = run_without_tensorflow(tmp_path / "none", "score", f"--out={tmp_path / 'l'}.{kind}", *given)
        assert status == 0 and re.fullmatch(r"LiteRT answers, within \S+ nats of --engine=saved_model .*\n", err), err
        figures("score", f"--out={tmp_path / 's'}.{kind}", "--engine=saved_model", *given)
    by_litert, by_tensorflow = table(tmp_path / "l.csv"), table(tmp_path / "s.csv")
    assert [row["name"] for row in by_litert] == [row["name"] for row in by_tensorflow] and len(by_litert) == 41
    for name in ("log_prob", "bits_per_dim", "typicality"):
        np.testing.assert_allclose(column(by_litert, name), column(by_tensorflow, name), rtol=1e-5, atol=1e-3)
    latents = [np.load(tmp_path / f"{by}.npz")["latents"] for by in "ls"]
    np.testing.assert_allclose(*latents, atol=1e-3)

    shutil.copytree(saved_models()["grey"][2], tmp_path / "bare")
    line = error_line(run("score", f"--model={tmp_path / 'bare'}", "--engine=litert", inputs[1]))
    assert "engine is litert, and" in line and "has no model.tflite" in line


def test_a_server_that_goes_away_and_comes_back(tmp_path):
    """kill -9 of the server: the rows so far are kept, and --skip has the rest."""
    flow, x, folder = saved_models()["vector"]
    x = np.resize(x, (20_000, 2))
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / "s.csv"
    with stand_in("moons", folder) as (process, ports):
        client = start(
            "score", f"--server={addresses(ports)[0]}", "--model=moons", f"--out={out}", "--batch_size=5", "--tries=2",
            "--noprogress", tmp_path / "x.npy",
        )  # fmt: skip
        partial = out.with_name(f"partial-{client.pid}-s.csv")
        while not partial.exists() or partial.stat().st_size < 20_000:
            assert client.poll() is None, finish(client)
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        line = error_line(finish(client))
    rest, skip = re.search(r"are in (\S+), go on with --skip=(\d+)", line).groups()
    assert rest == str(beside(out, INCOMPLETE)) and not out.exists() and 0 < int(skip) < len(x)
    figures("score", f"--model={folder}", f"--out={out}", f"--skip={skip}", "--noprogress", tmp_path / "x.npy")
    rows = table(rest) + table(out)
    assert [row["name"] for row in rows] == [f"{tmp_path / 'x.npy'}:{i}" for i in range(len(x))]
    np.testing.assert_allclose(column(rows, "log_prob"), flow.log_prob(x).numpy(), atol=1e-3)


REFUSED = {
    "no inputs": (["--model={model}", "--out={tmp}/s.csv"], "expected files, folders"),
    "both": (["--model={model}", "--out={tmp}/s.csv", "--dataset=digits", "{x}"], "expected files, folders"),
    "suffix": (["--model={model}", "--out={tmp}/s.txt", "{x}"], "expected a name ending in .csv or .parquet"),
    "latents to csv": (["--model={model}", "--out={tmp}/s.csv", "--encode", "{x}"], "ending in .npz or .parquet"),
    "missing": (["--model={model}", "--out={tmp}/s.csv", "{tmp}/nothing.png"], "is not there"),
    "no model": (["--model={tmp}/nothing", "--out={tmp}/s.csv", "{x}"], "is not a folder"),
    "no export": (["--model={tmp}", "--out={tmp}/s.csv", "{x}"], "has no saved_model.pb"),
    "corrupt": (["--model={tmp}/corrupt", "--out={tmp}/s.csv", "{x}"], "is not a whole export"),
    "nothing to score": (["--model={model}", "--out={tmp}/s.csv", "{tmp}/empty.npy"], "nothing could be scored"),
    "many without out": (["--model={model}", "{x}"], "expected --out=FILE"),
}  # fmt: skip


def test_what_is_refused(tmp_path):
    _, x, model = saved_models()["grey"]
    np.save(tmp_path / "x.npy", x[:10])
    np.save(tmp_path / "empty.npy", x[:0])
    shutil.copytree(model, tmp_path / "corrupt")
    (tmp_path / "corrupt" / "saved_model.pb").write_bytes(b"not a model")
    places = {"tmp": tmp_path, "model": model, "x": tmp_path / "x.npy"}
    for case, (arguments, says) in REFUSED.items():
        line = error_line(run("score", *(argument.format(**places) for argument in arguments)))
        assert says in line, case
    assert not list(tmp_path.glob("partial*"))


def test_models_that_are_not_ours(tmp_path):
    _, _, model = saved_models()["grey"]
    shutil.copytree(model, tmp_path / "truncated")
    data = next((tmp_path / "truncated" / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:1000])
    shutil.copytree(model, tmp_path / "flipped")
    data = next((tmp_path / "flipped" / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:500] + b"\x55" + data.read_bytes()[501:])
    tf.saved_model.save(tf.Module(), str(tmp_path / "foreign"))
    for text in ('{"levels": 300}', '{"levels": "17"}', "[]", "{"):
        (tmp_path / "foreign" / "export.json").write_text(text)
        with pytest.raises(UserError, match=r"export.json is damaged, expected levels from 2 to 256"):
            recorded(tmp_path / "foreign")
    for name in ("truncated", "flipped", "foreign"):
        with pytest.raises(UserError, match="is not a whole export of nvp_tf"):
            SavedModel(tmp_path / name)


def test_what_a_server_says_no_to():
    _, x, folder = saved_models()["grey"]
    with stand_in("digits", folder) as (_, ports):
        for address in addresses(ports):
            for wrong in ({"model": "other"}, {"model": "digits", "label": "beta"}):
                with pytest.raises(UserError, match="is not to be had from"):
                    connect(address, **wrong)
            server = connect(address, "digits", tries=2)
            with pytest.raises(Refused, match=r"400|INVALID_ARGUMENT"):
                server.score(np.repeat(x[:2], 2, axis=1))
            server.deadline = 0.001
            with pytest.raises(UserError, match=r"no answer from .* in 2 tries"):
                server.score(x)
    for address in addresses(ports):
        with pytest.raises(UserError, match="no answer"):
            connect(address, "digits", tries=1)
    with pytest.raises(UserError, match="expected grpc://HOST:PORT"):
        connect("localhost:8500", "digits")
