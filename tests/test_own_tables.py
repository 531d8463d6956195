"""A person's table: trained, exported, and scored with its columns in another order."""

import json
import shutil

import numpy as np
import pytest
from scipy.stats import norm

import nvp_tf
from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.columns import check_columns
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError
from nvp_tf.exporting.export import export_with
from nvp_tf.runs.opened import OpenRun
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.scoring import inputs
from nvp_tf.scoring.saved_model import SavedModel
from nvp_tf.training.distributed.strategies import make_strategy
from nvp_tf.training.train import train

BRIEF = ["model.flow.couplings=2", "model.flow.hidden_units=16", "train.steps=40", "train.evaluate_every=20"]
MEANS, DEVIATIONS = [1.7e9, 5e6, 0], [1e5, 1e6, 1e-6]  # seconds since 1970, and units apart
NAMES = ("time", "large", "small")


def trained(file, run, *changes):
    config = nvp_tf.preset("realnvp_table", *BRIEF, *changes)
    data = load_dataset(DataConfig("table", str(file)))
    config = config.for_data(DataConfig("table", str(file)), data.event)
    return train(config, data, run, make_strategy("none"), progress=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    x = np.random.default_rng(0).standard_normal((4000, 3)) * DEVIATIONS + MEANS
    rows = [",".join(map(repr, row)) for row in x.tolist()]
    (folder / "x.csv").write_text("time,large,small\n1,,2\n" + "\n".join(rows) + "\n")
    some = np.column_stack([np.arange(20), x[:20, [2, 0, 1]]])
    np.savetxt(folder / "other.csv", some, "%.17g", ";", header="number;small;time;large", comments="")
    (folder / "figures.json").write_text(json.dumps(trained(folder / "x.csv", folder / "run")))
    return folder


def test_features_of_any_scale_train_with_the_same_settings(folder):
    figures, run = json.loads((folder / "figures.json").read_text()), OpenRun(folder / "run")
    assert (figures["rows_dropped"], figures["rollbacks"], run.config.data.columns) == (1, 0, NAMES)
    x = run.dataset.test._array.numpy()
    truth = norm.logpdf(x, MEANS, DEVIATIONS).sum(axis=1).mean()
    assert figures["log_prob"] == pytest.approx(truth, abs=0.05)
    taken = run.run.metadata["standardization"]
    np.testing.assert_allclose(taken["deviation"], DEVIATIONS, rtol=0.05)
    drawn = run.flow.sample(2000).numpy()
    assert drawn.dtype == np.float64
    np.testing.assert_allclose((drawn.mean(axis=0) - MEANS) / DEVIATIONS, 0, atol=0.15)


def test_an_export_finds_the_columns_by_their_names(folder):
    run = OpenRun(folder / "run")
    about = export_with(run.flow, run.dataset, folder / "model", 50)
    assert about["columns"] == list(NAMES) and about["tflite"]
    model = SavedModel(folder / "model")
    assert (model.event.columns, model.event.dtype) == (NAMES, np.float64)
    own, others = ([i.value for i in inputs.read(str(folder / f), model.event)] for f in ("x.csv", "other.csv"))
    np.testing.assert_array_equal(own[1:21], others)
    scores = model.score(np.stack(others))["log_prob"]
    np.testing.assert_allclose(scores, run.flow.log_prob(np.stack(others)), atol=1e-3)


def test_a_run_goes_on_to_the_bit(folder, tmp_path):
    run = RunDir(shutil.copytree(folder / "run", tmp_path / "run"))
    done = {name: (run.path / name).read_bytes() for name in ("metrics.csv", "config.json", "metadata.json")}
    (run.path / "checkpoints" / run.checkpoints().list()[-1].name).unlink()
    figures = trained(folder / "x.csv", run.path)
    assert figures["log_prob"] == json.loads((folder / "figures.json").read_text())["log_prob"]
    assert done == {name: (run.path / name).read_bytes() for name in done}


def test_what_is_said_of_columns_before_a_run(tmp_path, capsys):
    x = np.random.default_rng(0).integers(0, 5, (40, 3)) * np.array([1, 2, 0.1]) + 0.1
    check_columns(from_arrays(x, levels=None))
    assert "of few distinct values: 0 5, 1 5, 2 5; a density of such columns is not bounded" in capsys.readouterr().err
    check_columns(from_arrays(np.random.default_rng(0).standard_normal((40, 3)), levels=None))
    assert not capsys.readouterr().err
    x[:, 2] = 0.1
    data = from_arrays(x, levels=None, name="npz")
    config = nvp_tf.preset("realnvp_table", *BRIEF, "train.batch_size=8").for_data(DataConfig("npz"), data.event)
    with pytest.raises(UserError, match="column 2 never varies in npz"):
        train(config, data, tmp_path / "run", make_strategy("none"), progress=False)
    assert not (tmp_path / "run").exists()
