"""A table reads back as it was written, is there only when whole, and keeps its rows when the rest fails."""

import csv
import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from nvp_tf.errors import UserError
from nvp_tf.scoring.table import INCOMPLETE, Table, beside

SCORES = {"log_prob": np.float32(-1234.5678), "percentile": np.float32(1 / 3), "typicality": np.float32(1e-5)}
NAME = 'a, "b"\nc \udcff.png'  # a file name that no encoding has


def scores(file):
    if file.suffix == ".parquet":
        return pq.read_table(file).to_pylist()
    with open(file, newline="", encoding="utf-8", errors="surrogateescape") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("names", [["log_prob", "bits_per_dim", "typicality"], ["log_prob", "percentile"]])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_scores(tmp_path, names, suffix):
    out, answers = tmp_path / "new" / f"s{suffix}", SCORES | {"bits_per_dim": np.float32(np.inf)}
    with Table(out, names) as table:
        table.write([(NAME, answers, "")])
        table.write([("b", None, "is broken")])
        assert not out.exists()
    first, second = scores(out)
    assert list(first) == ["name", *names, "error"]
    assert first["name"] == (NAME if suffix == ".csv" else NAME.replace("\udcff", "\ufffd"))
    for name in names:
        assert np.float32(first[name]) == answers[name] and second[name] in ("", None)
    assert (first["error"] or "", second["error"]) == ("", "is broken")


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_latents(tmp_path, suffix):
    out, latents = tmp_path / f"s{suffix}", np.random.RandomState(0).normal(size=4).astype(np.float32)
    with Table(out, ["latents"]) as table:
        table.write([("bad", None, "is broken"), ("a", {"latents": latents}, "")])
    if suffix == ".npz":
        found = np.load(out)
        assert list(found["names"]) == ["bad", "a"] and list(found["errors"]) == ["is broken", ""]
        assert np.isnan(found["latents"][0]).all()
        np.testing.assert_array_equal(found["latents"][1], latents)
    else:
        bad, a = pq.read_table(out).to_pylist()
        assert bad == {"name": "bad", "latents": None, "error": "is broken"}
        np.testing.assert_array_equal(np.float32(a["latents"]), latents)


@pytest.mark.parametrize(("suffix", "latents"), [(".csv", False), (".parquet", False), (".npz", True)])
def test_rows_so_far_are_kept(tmp_path, suffix, latents):
    out = tmp_path / f"s{suffix}"
    out.write_text("of before")
    with pytest.raises(KeyboardInterrupt), Table(out, ["latents"] if latents else list(SCORES)) as table:
        table.write([("a", {"latents": np.zeros(2)} if latents else SCORES, "")])
        raise KeyboardInterrupt
    assert out.read_text() == "of before" and beside(out, INCOMPLETE).stat().st_size
    assert len(list(tmp_path.iterdir())) == 2


def test_two_processes_do_not_write_one_file(tmp_path):
    with Table(tmp_path / "s.csv", list(SCORES)):
        [partial] = tmp_path.iterdir()
        assert partial.name == f"partial-{os.getpid()}-s.csv"
    assert [file.name for file in tmp_path.iterdir()] == ["s.csv"]


def test_nothing_is_left_without_rows(tmp_path):
    with pytest.raises(UserError), Table(tmp_path / "s.csv", list(SCORES)):
        raise UserError("no")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "latents"), [("s.txt", False), ("s", False), ("s.npz", False), ("s.csv", True)])
def test_other_suffixes(tmp_path, name, latents):
    with pytest.raises(UserError, match="expected a name ending in"):
        Table(tmp_path / name, ["latents"] if latents else list(SCORES))
