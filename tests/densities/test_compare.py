"""The table: rows that are made, that fail, that are kept; what a reader is told."""

import csv
import io
import json

import numpy as np
import pytest
from commands import error_line, run

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.npz import npz
from nvp_tf.densities import candidates, measure, saved, table
from nvp_tf.densities.autoregressive import MadeDensity, MadeSettings
from nvp_tf.densities.comparison import Comparison, Terms
from nvp_tf.densities.contract import Domain
from nvp_tf.densities.page import write_page, write_tables
from nvp_tf.densities.row_exports import export_rows
from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.scoring.saved_model import SavedModel

PLANE = Event((2,))
IMAGE = Event((2, 2, 1), 256)


def row(name="made", seed=0, log_prob=-10.0, **more) -> dict:
    """A row as a worker makes it."""
    made = {
        "name": name, "family": name, "seed": seed, "settings": {}, "status": "done", "kind": "exact", "how": "by hand",
        "draws": 0, "log_prob": log_prob, "error": 0.5, "bits_error": 0.1,
        "bits_per_dim": log_prob and -log_prob / (4 * np.log(2)),
        "test_examples": 9, "worst": -20.0, "gap": 1.0, "bounds": [], "bound_gap": None, "bound_gap_error": None,
        "parameters": 1234, "latency_ms": 1.5, "score_per_second": 1000.0, "sample_per_second": 0.5,
        "memory_gigabytes": 0.7, "can": ["log_prob", "sample"], "problems": [], "minutes": 2.0, "steps": 500,
        "ended": "budget", "train_per_second": 100.0, "notes": [],
        "curve": [{"seconds": 60.0, "steps": 250, "train": -11.0, "valid": -11.0}],
    }  # fmt: skip
    return made | more


FAILED = {"name": "iaf", "family": "iaf", "seed": 0, "settings": {}, "status": "failed", "why": "it takes too long"}


def cells(text) -> dict[str, dict[str, str]]:
    """name -> head -> cell of a Markdown table."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {cells[0]: dict(zip(rows[0], cells, strict=True)) for cells in rows[2:]}


def test_means_and_spreads_over_seeds():
    rows = [row(log_prob=-10.0), row(seed=1, log_prob=-12.0), row("maf", log_prob=-9.0), FAILED]
    text = table.markdown_table(rows, IMAGE)
    found = cells(text)
    assert list(found) == ["maf", "made", "iaf"]  # the best first, without a score last
    bits = 1 / (4 * np.log(2))
    assert float(found["made"]["bits/dim, lower is better"]) == pytest.approx(11 * bits, abs=1e-3)
    assert float(found["made"]["± seeds"]) == pytest.approx(2**0.5 * bits, abs=1e-3)
    assert float(found["made"]["± examples"]) == pytest.approx(0.5 * bits, abs=1e-3)
    assert float(found["made"]["train–test gap"]) == pytest.approx(bits, abs=1e-3)
    assert found["maf"]["± seeds"] == "–" and found["iaf"]["kind"] == "failed"
    assert "- iaf, seed 0: failed: it takes too long" in text


def test_vectors_are_in_nats():
    found = cells(table.markdown_table([row(), row("maf", log_prob=-9.0)], PLANE))
    assert list(found) == ["maf", "made"]
    assert found["made"]["log-density, nats, higher is better"] == "-10.000"


def test_what_a_reader_is_told():
    bound = {"kind": "bound", "bound_gap": 0.4, "bound_gap_error": 0.1}
    rows = [
        row("vae", **bound, steps=7, ended="a loss of nan at step 7"),
        row("contrastive", kind="estimate", notes=["unusable: AUROC 0.999 is above 0.99"]),
        row("pixelcnn", log_prob=None, problems=["3 of 9 test scores are not a number"]),
    ]
    text = table.markdown_table(rows, IMAGE)
    found = cells(text)
    assert found["vae"]["bound gap"] == "0.144 ± 0.036" and found["vae"]["kind"] == "bound: by hand"
    assert found["contrastive"]["kind"].startswith("estimate, unusable")
    assert found["pixelcnn"]["bits/dim, lower is better"] == "–"
    for said in (
        "7 steps: the budget is too small",
        "ended early by a loss of nan",
        "3 of 9 test scores are",
    ):
        assert said in text


def test_one_bad_seed_is_not_dropped_from_a_mean():
    line = table.lines([row(), row(seed=1, log_prob=None)])[0]
    assert line.mean("log_prob") is None and line.spread("log_prob") is None


def test_csv_has_every_figure():
    rows = list(csv.DictReader(io.StringIO(table.csv_table([row(), row("maf", log_prob=None), FAILED]))))
    assert [float(rows[0][key]) for key in ("log_prob", "score_per_second", "parameters")] == [-10, 1000, 1234]
    assert rows[1]["log_prob"] == "" and rows[2]["why"] == "it takes too long" and rows[0]["can"] == "log_prob; sample"


NUMBERS = {1234.5: "1,234", 12.34: "12", 1.234: "1.2", 0.1234: "0.12", 1e-4: "1.0e-04", 0.0: "0", None: "–"}


@pytest.mark.parametrize(("value", "text"), NUMBERS.items())
def test_numbers(value, text):
    assert table.number(value) == text


def test_scores_that_are_no_numbers_are_said():
    """A density with a weight that is nan: no mean over the rest, and the row says it."""
    images = np.random.default_rng(0).integers(0, 4, (40, 2, 2, 1))
    data = from_arrays(images, levels=4)
    density = MadeDensity(Domain.of(data), MadeSettings(layers=0, components=1))
    density.model.output_layer.bias.assign(np.full(density.model.output_layer.bias.shape, np.nan))
    found = measure.measure(density, data, 4)
    assert found["log_prob"] is None and found["worst"] is None and found["bits_per_dim"] is None
    assert found["problems"] == ["4 of 4 test scores are not a number"]
    json.dumps(found, allow_nan=False)


def test_measures_of_a_bound():
    from density_cases import IMAGES

    density = IMAGES["vae"].shared
    data = from_arrays(np.random.default_rng(0).integers(0, 4, (100, 2, 2, 1)), levels=4)
    found = measure.measure(density, data, 10)
    assert [draws for draws, _ in found["bounds"]] == [1, 8, 128]
    means = [mean for _, mean in found["bounds"]]
    assert means[0] - 1 < means[1] < means[2] + 4 * found["bound_gap_error"]
    assert found["bits_per_dim"] == pytest.approx(-found["log_prob"] / (4 * np.log(2)))
    assert found["can"] == ["log_prob", "sample", "encode", "export"] and found["score_per_second"] > 0


def test_flows_for_a_data_set():
    assert candidates.flows_for(Event((8, 8, 1), 17), "digits") == ["nice_digits", "realnvp_digits"]
    assert candidates.flows_for(Event((32, 32, 3), 256), "cifar10") == ["nice_cifar10", "realnvp_cifar10"]
    assert candidates.flows_for(Event((5,)), "npz") == ["realnvp_two_moons"]
    assert candidates.flows_for(Event((9, 9, 1), 256), "npz") == ["realnvp_digits"]
    found = candidates.candidates(Event((9, 7, 1), 256), DataConfig("npz"), [], [])
    by_name = {candidate.name: candidate for candidate in found}
    assert "realnvp_digits" in by_name and by_name["realnvp_digits"].settings.model.flow.scales == 1
    assert by_name["contrastive"].settings.noise == by_name["realnvp_digits"].settings
    assert len(found) == len(candidates.registry.names())
    [contrastive] = candidates.candidates(Event((8, 8, 1), 17), DataConfig("digits"), ["contrastive"], [])
    assert contrastive.settings.noise.model.flow.kind == "realnvp"  # of the presets the nearer to the data


def test_settings_are_changed():
    [made] = candidates.candidates(PLANE, DataConfig("two_moons"), ["made"], ["made.units=7", "made.order=random"])
    assert (made.settings.units, made.settings.order) == (7, "random")
    name = "realnvp_two_moons"
    [flow] = candidates.candidates(PLANE, DataConfig("two_moons"), [name], [f"{name}.train.batch_size=9"])
    assert flow.settings.train.batch_size == 9
    wrongs = {"made.size=7": "unknown key 'size'", "made.units=x": "units is 'x'", "maf.units=7": "expected NAME"}
    for wrong, said in wrongs.items():
        with pytest.raises(UserError, match=said):
            candidates.candidates(PLANE, DataConfig("two_moons"), ["made"], [wrong])
    with pytest.raises(UserError, match="family is 'gan'"):
        candidates.candidates(PLANE, DataConfig("two_moons"), ["gan"], [])


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """(its folder, a function that runs it, the rows of its first run): one example to train on, constant pixels."""
    folder = tmp_path_factory.mktemp("compare")
    one = np.full((1, 2, 2, 1), 7, np.uint8)
    np.savez(folder / "data.npz", train=one, valid=one, test=one)
    data = DataConfig("npz", str(folder / "data.npz"))

    def compare(families, seeds=1, steps=2, assignments=()):
        found = candidates.candidates(Event((2, 2, 1), 256), data, families, list(assignments))
        told = []
        rows = Comparison(folder / "out", Terms(data, None, steps, 10)).run(found, seeds, told.append)
        assert told == rows
        return rows

    return folder / "out", compare, compare(["mixture_full", "made"])


def test_rows_of_real_processes(comparison):
    folder, _, (mixture, made) = comparison
    assert mixture["status"] == "failed" and "1 training example, expected at least 2" in mixture["why"]
    assert made["status"] == "done" and made["steps"] == 2 and made["bits_per_dim"] > 0
    assert (folder / "models" / "made-0" / "config.json").is_file()


def test_rows_are_kept(comparison):
    folder, compare, rows = comparison
    file = folder / "rows" / "made-0.json"
    before = file.stat().st_mtime_ns
    assert compare(["made", "mixture_full"]) == rows[::-1]
    assert file.stat().st_mtime_ns == before
    with pytest.raises(UserError, match=r"made-0\.json is of other settings"):
        compare(["made"], assignments=["made.units=5"])
    with pytest.raises(UserError, match="is a comparison with steps 2, expected 3"):
        compare(["made"], steps=3)


def test_page_of_rows(comparison):
    folder, _, rows = comparison
    data = npz(DataConfig("npz", str(folder.parent / "data.npz")))
    terms = Terms(DataConfig("npz", str(folder.parent / "data.npz")), None, 2, 10)
    write_tables(Comparison(folder, terms), rows, data.event, data.name)
    page = write_page(Comparison(folder, terms), rows, data)
    text = page.read_text()
    for name in ("scoring.png", "training.png", "samples.png"):
        assert f'src="{name}"' in text and (folder / name).stat().st_size > 5000
    assert "made" in text and "1 training example" in text
    assert "made" in (folder / "table.md").read_text() and "made" in (folder / "table.csv").read_text()


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"not empty and has no compare\.json"):
        Comparison(tmp_path, Terms(DataConfig("digits"), 1.0, None, 10))


def test_command_refuses_in_one_line():
    assert "--minutes or --steps" in error_line(run("compare", "--dataset=digits"))


def test_rows_are_exported(comparison):
    """As `nvp_tf score` takes them; what failed has none, and what is there is left."""
    folder, _, rows = comparison
    where = DataConfig("npz", str(folder.parent / "data.npz"))
    data, terms = npz(where), Terms(where, None, 2, 10)
    exported, refused = export_rows(Comparison(folder, terms), table.lines(rows), data)
    assert (list(exported), refused) == (["made"], {})
    image = np.full((1, 2, 2, 1), 7, np.uint8)
    scores = SavedModel(exported["made"]).score(image)
    expected = saved.load(folder / "models" / "made-0").log_mass(image).value
    np.testing.assert_allclose(scores["log_prob"], expected, atol=1e-3)
    assert export_rows(Comparison(folder, terms), table.lines(rows), data) == (exported, {})
    assert [p.name for p in (folder / "exports" / "made").iterdir() if p.name.isdigit()] == ["1"]
