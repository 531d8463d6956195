import pytest
from commands import digits_run, error_line, figures, run

from nvp_tf.config.presets.registry import PRESETS
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.runs.tables import find_runs, tables


def make(folder, preset, bits, train=None, minutes=9.6):
    """A run as training leaves it, without its weights."""
    config = PRESETS[preset].config
    made = RunDir.create(folder, config)
    made.write_metadata(4_200_000, {})
    row = {"step": 1200, "minutes": minutes, "valid_log_prob": -9.0, "valid_bits_per_dim": 3.333}
    made.write_metrics([row])
    for split, value in (("test", bits), ("train", train)):
        if value:
            made.write_score(split, {"bits_per_dim": value, "log_prob": -1.0, "standard_error": 0.012})


def cells(text, first):
    """The rows of a Markdown table that begin with a cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line]
    return [row for row in rows if row[0] == first]


def test_published_numbers_beside_those_of_the_best_run(tmp_path):
    make(tmp_path / "a", "realnvp_cifar10", 3.71)
    make(tmp_path / "deep" / "b", "realnvp_cifar10", 3.6449, train=3.5)
    make(tmp_path / "c", "realnvp_imagenet64", None)  # still training
    make(tmp_path / "d", "nice_svhn", 2.9)
    text = tables(find_runs(tmp_path))
    [cifar] = [row for row in cells(text, "cifar10") if "PixelRNN" not in row and len(row) == 7]
    assert cifar == [
        "cifar10",
        "3.00",
        "< 3.59",
        "< 3.11",
        "3.49",
        "3.64 (3.50)",
        "1,200 steps of 64, 10 min, 4.2 M weights",
    ]
    assert cells(text, "imagenet64")[0] == ["imagenet64", "3.63 (3.57)", "< 4.10 (4.04)", "–", "3.98 (3.75)", "–", "–"]
    assert cells(text, "svhn")[0][4:7] == ["11496.55", "2.60", "2.90"]
    assert cells(text, "tfd")[0] == ["tfd", "ZCA", "4 of 5000", "Gaussian", "5514.71", "4.55", "–", "–"]
    assert cells(text, str(tmp_path / "deep" / "b"))[0][3:5] == ["3.645 ± 0.012", "3.333"]
    assert cells(text, str(tmp_path / "c"))[0][3:5] == ["–", "3.333"]


def test_a_score_goes_with_the_weights_that_it_is_of(tmp_path):
    make(tmp_path / "a", "nice_digits", 2.5)
    found = RunDir(tmp_path / "a")
    assert found.scores["test"]["bits_per_dim"] == 2.5

    class Flow:
        weights = ()

        def save_weights(self, file):
            file.write_bytes(b"")

    found.save_flow(Flow(), best=False)
    assert found.scores
    found.save_flow(Flow(), best=True)
    assert found.scores == {}


def test_command(tmp_path):
    """Of the run that training really left, whose score is the one it printed."""
    path, printed = digits_run()
    out = tmp_path / "tables.md"
    assert figures("tables", f"--runs={path.parent}", f"--out={out}") == {"runs": 1, "scored": 1, "out": str(out)}
    assert cells(out.read_text(), str(path))[0][3].startswith(f"{printed['bits_per_dim']:.3f} ± ")
    assert "runs is /nowhere, expected a folder" in error_line(run("tables", "--runs=/nowhere"))


@pytest.mark.parametrize("name", ["scores.json", "metadata.json"])
def test_corrupt_records(tmp_path, name):
    make(tmp_path / "a", "nice_svhn", 2.5)
    (tmp_path / "a" / name).write_text("{")
    assert f"{name} is corrupt" in error_line(run("tables", f"--runs={tmp_path}"))
