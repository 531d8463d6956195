"""bin/score_beam.py gives the rows of bin/score.py, whatever is among the files, from far and after failures.

It runs in .venv-beam: bin/setup beam.
"""

import csv
import gzip
import json
import os
import subprocess
import zlib

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from commands import ENVIRONMENT, ROOT, error_line, finish, start
from exports import saved_models
from PIL import Image

PYTHON = ROOT / ".venv-beam" / "bin" / "python"
pytestmark = [pytest.mark.engines, pytest.mark.skipif(not PYTHON.exists(), reason="bin/setup beam makes .venv-beam")]


def beam(*line):
    """A process in .venv-beam."""
    line = [PYTHON, *map(str, line)]
    return subprocess.Popen(line, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def printed(process):
    status, out, err = finish(process)
    assert status == 0, err
    return json.loads(out)


def rows(pattern):
    """{name: row} of all shards, which must not have a name twice."""
    found = []
    for file in sorted(pattern.parent.glob(pattern.name)):
        if file.suffix == ".csv":
            with open(file, newline="", encoding="utf-8", errors="surrogateescape") as lines:
                found += csv.DictReader(lines)
        else:
            found += pq.read_table(file).to_pylist()
    names = [row["name"] for row in found]
    assert len(set(names)) == len(names)
    return dict(zip(names, found, strict=True))


def records(values, raw):
    kind = (lambda v: {"bytes_list": tf.train.BytesList(value=[v.tobytes()])}) if raw else (
        lambda v: {"float_list": tf.train.FloatList(value=v)}
    )  # fmt: skip
    key = "image" if raw else "x"
    for value in values:
        features = tf.train.Features(feature={key: tf.train.Feature(**kind(value))})
        yield tf.train.Example(features=features).SerializeToString()


def tfrecord(file, values, raw):
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records(values, raw):
            writer.write(record)


def mixed(folder, x):
    """Files of many kinds with the values of x[:120] in them, and bad ones: how many good rows, how many bad."""
    folder.mkdir()
    images = x.ndim == 4
    for shard in range(3):
        tfrecord(folder / f"s.tfrecord-{shard:05}-of-00003", x[20 * shard : 20 * shard + 20], images)
    np.save(folder / "a.npy", x[60:80])
    np.savez(folder / "b.npz", x[80:110])
    whole = (folder / "s.tfrecord-00000-of-00003").read_bytes()
    (folder / "c.tfrecord").write_bytes(whole[: len(whole) // 2 + 20])
    (folder / "d.tfrecord.gz").write_bytes(gzip.compress(whole))
    (folder / "notes.txt").write_text("no picture")
    if not images:
        np.save(folder / "nan.npy", np.concatenate([x[:1], [[np.nan, 0]]]).astype(np.float32))
        return 110 + 10 + 20 + 1, 3
    for number in range(110, 120):
        Image.fromarray(np.squeeze(x[number])).save(folder / f"{number}.png")
    Image.fromarray(np.squeeze(x[0])).save(os.fsencode(folder) + b"/\xff.png", "PNG")  # a name that is not UTF-8
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(folder / "large.png")
    bomb = bytearray((folder / "110.png").read_bytes())
    bomb[16:24] = (2**30).to_bytes(4) * 2
    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4)
    (folder / "bomb.png").write_bytes(bomb)
    return 120 + 10 + 20 + 1, 4


def odd(folder, x):
    """A folder of 2 good rows and of what is passed over."""
    (folder / "far").mkdir(parents=True)
    np.save(folder / "far" / "x.npy", x[:2])
    (folder / "notes.txt").touch()
    (folder / ".hidden.npy").touch()
    os.symlink("nowhere", folder / "broken.png")
    os.symlink("..", folder / "far" / "loop")
    return folder


CASES = {
    "grey": (["--format=csv", "--direct_num_workers=2", "--direct_running_mode=multi_threading"], []),
    "colour": (["--encode", "--batch_size=7"], ["--encode"]),
    "vector": (["--runner=DirectRunner", "--batch_size=1000"], []),
}


def test_rows_are_those_of_bin_score(tmp_path):
    """Three kinds of model at once: most of it is the start of processes."""
    waiting = {}
    for name, (with_beam, without) in CASES.items():
        _, x, model = saved_models()[name]
        files = tmp_path / name
        counts = mixed(files, x)
        common = [f"--model={model.parent}", *with_beam]
        given = [odd(tmp_path / f"{name}-odd", x), f"{files}/*"]
        inputs = [f"--input={word}" for word in given]
        first = beam("bin/score_beam.py", *common, *inputs, f"--output={tmp_path / f'{name}-beam'}")
        second = start("score", f"--model={model}", f"--out={tmp_path / f'{name}.parquet'}", *without, *given)
        waiting[name] = first, second, counts
    for name, (first, second, counts) in waiting.items():
        figures, expected_figures = printed(first), printed(second)
        output = tmp_path / f"{name}-beam"
        good, bad = rows(output / "scores-*"), rows(output / "errors-*")
        expected = rows(tmp_path / f"{name}.parquet")
        assert (len(good), len(bad)) == (figures["scored"], figures["errors"]) == (counts[0] + 2, counts[1])
        # Parquet has no name that is not UTF-8.
        good = {key.encode(errors="surrogateescape").decode(errors="replace"): row for key, row in good.items()}
        assert {key: row["error"] for key, row in bad.items()} == {
            key: row["error"] for key, row in expected.items() if row["error"]
        }
        assert good.keys() == {key for key, row in expected.items() if not row["error"]}
        columns = expected[next(iter(good))].keys() - {"name", "error"}
        for column in columns:
            # A score differs in its last digits with its batch, a percentile where one of the 200 held-out is passed.
            tolerance = {"percentile": 0.51, "typicality": 0.0101, "foreign": 0.011}.get(column, 1e-3)
            ours, theirs = ([np.array(table[key][column], float) for key in good] for table in (good, expected))
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=f"{name} {column}")
        assert {"name", *columns, "error"} == next(iter(good.values())).keys()

        summary = json.loads((output / "summary.json").read_text())
        for key, value in expected_figures.items():
            if key not in ("out", "per_second", "model"):
                assert figures[key] == summary[key] == pytest.approx(value, abs=1e-3), key
        assert summary["passed_over"] == len(summary["passed_over_files"]) == 4
        if name != "colour":
            assert sum(summary["histograms"]["percentile"].values()) == len(good)
        assert not list(output.glob("beam-temp*"))


FAR = ROOT / "tests" / "support" / "far.py"


def test_from_far_and_after_failures(tmp_path):
    """On a file system that is not the disk's: model, inputs and results; with a model that fails now and then."""
    flow, x, model = saved_models()["vector"]
    mixed(tmp_path / "in", x)
    (tmp_path / "models").symlink_to(model.parent)
    local = start("score", f"--model={model}", f"--out={tmp_path / 's.csv'}", tmp_path / "in")
    told = printed(beam(FAR, tmp_path))
    printed(local)
    assert "a model that fails" in told["failed"] and told["models"] == []
    assert not list((tmp_path / "without retry").glob("[!b]*")), "results of a run that failed"

    expected = {
        name.replace(str(tmp_path), "far://disk"): row["error"].replace(str(tmp_path), "far://disk")
        for name, row in rows(tmp_path / "s.csv").items()
    }
    good, bad = rows(tmp_path / "out" / "scores-*"), rows(tmp_path / "out" / "errors-*")
    assert expected == {name: row["error"] or "" for name, row in (good | bad).items()}
    array = [good[f"far://disk/in/a.npy:{number}"]["log_prob"] for number in range(20)]
    np.testing.assert_allclose(array, flow.log_prob(x[60:80]).numpy(), atol=1e-3)
    assert told["summary"]["scored"] == len(good)


def test_what_is_refused(tmp_path):
    _, x, model = saved_models()["vector"]
    np.save(tmp_path / "x.npy", x[:3])
    np.save(tmp_path / "empty.npy", x[:0])
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "summary.json").write_text("{}")
    given = [f"--model={model}", f"--input={tmp_path / 'x.npy'}", f"--output={tmp_path / 'out'}"]
    cases = {
        "is not there": [f"--input={tmp_path}/*.png"],
        "summary.json is there": [f"--output={tmp_path / 'old'}"],
        "there is no flag --typo": ["--typo=1"],
        "invalid int value": ["--direct_num_workers=two"],
        "unexpected argument 'FnApiRunner'": ["--runner", "FnApiRunner"],
        "Unexpected pipeline runner": ["--runner=Fast"],
        "Unable to get filesystem": ["--model=gs://bucket/model"],
    }
    processes = {says: beam("bin/score_beam.py", *given, *wrong) for says, wrong in cases.items()}
    nothing = [given[0], f"--input={tmp_path / 'empty.npy'}", given[2]]
    processes["nothing could be scored"] = beam("bin/score_beam.py", *nothing)
    for says, process in processes.items():
        assert says in error_line(finish(process))
