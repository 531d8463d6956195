"""What people have from before goes on working: a run, its checkpoint and its export, made by nvp_tf at f7e57e7."""

import csv
import json
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from commands import ROOT

import nvp_tf
from nvp_tf.data.registry import load_dataset
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.scoring.saved_model import SavedModel
from nvp_tf.training.distributed.strategies import make_strategy
from nvp_tf.training.train import train


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The folder with run, export and scores.json, what they answered then."""
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(ROOT / "tests" / "support" / "before.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "before"


@pytest.fixture(scope="module")
def answers(before):
    found = json.loads((before / "scores.json").read_text())
    return np.array(found["images"], np.uint8), np.array(found["log_prob"]), np.array(found["sample"], np.uint8)


def test_a_run_is_loaded(before, answers):
    x, log_prob, sample = answers
    flow = nvp_tf.load(before / "run")
    np.testing.assert_allclose(flow.log_prob(x), log_prob, rtol=1e-5)
    np.testing.assert_array_equal(flow.sample(2, seed=1), sample)


def test_a_checkpoint_is_gone_on_from(before):
    def rows():
        with open(before / "run" / "metrics.csv", newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]

    then, run = rows(), RunDir(before / "run")
    assert [row["step"] for row in then] == [3, 6] and run.checkpoints().list()[-1].step == 3
    train(run.config, load_dataset(run.config.data), run.path, make_strategy("none"), progress=False)
    for found, expected in zip(rows(), then, strict=True):
        assert found.keys() == expected.keys()
        for name, value in expected.items():  # the errors of float32 are of another rounding on another processor
            assert found[name] == pytest.approx(value, rel=1e-3, abs=1e-3), name


def test_an_export_answers(before, answers):
    x, log_prob, _ = answers
    old = SavedModel(before / "export")
    np.testing.assert_allclose(old.score(x)["log_prob"], log_prob, rtol=1e-5)
    assert old.scores == ("log_prob", "bits_per_dim", "percentile", "typicality")
    model = tf.saved_model.load(str(before / "export" / "1")).signatures
    latents = model["encode"](images=tf.constant(x))["latents"]
    np.testing.assert_array_equal(model["decode"](latents=latents)["images"], x)
