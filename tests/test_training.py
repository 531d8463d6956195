"""Training: exact on replicas, its files, its scores functions of one image. How it goes on: test_restart.py."""

import csv
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from commands import EVERY, STEPS, digits_run, figures, leftovers
from sgd import assert_same_steps, sgd_config, sgd_steps

import nvp_tf
from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import ResumeLater
from nvp_tf.evaluation.evaluator import Evaluator
from nvp_tf.event import Event
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.training import steps
from nvp_tf.training.distributed.strategies import make_strategy
from nvp_tf.training.loop import Training
from nvp_tf.training.state import Adam, TrainingState
from nvp_tf.training.train import train

DIGITS = load_dataset(DataConfig("digits"))
COLUMNS = [
    "step", "learning_rate", "gradient_norm", "train_log_prob", "valid_log_prob", "train_bits_per_dim",
    "valid_bits_per_dim", "rollbacks", "round_trip_error", "log_det_error",
]  # fmt: skip
TIMES = ["step", "minutes", "images_per_second", "waiting_for_data", "memory_gigabytes"]


@pytest.mark.parametrize(
    "checkerboard, batch_norm, clip_norm",
    [
        ("masked", True, 1e6),
        pytest.param("packed", True, 1e6, marks=pytest.mark.slow),
        pytest.param("masked", True, 0.5, marks=pytest.mark.slow),
        pytest.param("packed", False, 0.5, marks=pytest.mark.slow),
    ],
)
def test_two_replicas_are_one(checkerboard, batch_norm, clip_norm):
    """7 examples are 4 and 3."""
    batch_norm = str(batch_norm).lower()
    config = sgd_config(f"checkerboard={checkerboard}", f"batch_norm={batch_norm}", clip_norm=clip_norm)
    one, two = (sgd_steps(config, replicas(number), DIGITS, steps=12) for number in (1, 2))
    assert (list(one["sizes"]), list(two["sizes"])) == ([7], [4, 3])
    assert_same_steps(one, two, clip_norm)


@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_whitening_is_fitted_before_the_first_step_and_kept(number, tmp_path):
    keys = ("steps=2", "evaluate_every=1", "batch_size=32")
    config = nvp_tf.preset("nice_digits", 'model.whitening={"share": 0.001}', *(f"train.{key}" for key in keys))
    train(config, DIGITS, tmp_path, replicas(number), progress=False)
    run = RunDir(tmp_path)
    flow, found = run.load_flow("last"), run.metadata["whitening"]  # the averaged weights
    x = DIGITS.train.read(np.arange(DIGITS.train.size), None)
    y = flow.pixels.dequantize(x, flow.noise_pattern())
    for layer in flow.bijector.layers[:3]:
        y, log_det = layer.forward(y)
    assert found["examples"] == len(x) and found["log_det"] == pytest.approx(float(log_det[0]), rel=1e-5)
    assert 0.5 < np.cov(y.numpy().T).diagonal().mean() < 1.1
    np.testing.assert_array_equal(flow.decode(flow.encode(x[:100])), x[:100])


@pytest.mark.parametrize(("number", "end"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, ResumeLater)])
def test_a_signal_stops_after_its_step(number, end, tmp_path, monkeypatch):
    def struck(self, batches, one_call=Training._one_call):
        if self.progress.step == 2:
            signal.raise_signal(number)
        one_call(self, batches)

    monkeypatch.setattr(steps, "OPERATIONS", 0)  # each step is a call
    monkeypatch.setattr(Training, "_one_call", struck)
    before = signal.getsignal(number)
    with pytest.raises(end, match="stopped after step 3: the same command goes on from there"):
        train_vectors(tmp_path, evaluate_every=4)
    assert RunDir(tmp_path).checkpoints().list()[-1].step == 3 and signal.getsignal(number) is before


def train_vectors(run_dir, evaluate_every=1):
    """Four steps on a few vectors."""
    keys = ("model.flow.couplings=2", "train.batch_size=8", "train.steps=4", f"train.evaluate_every={evaluate_every}")
    config = nvp_tf.preset("realnvp_two_moons", *keys)
    vectors = from_arrays(np.random.RandomState(0).randn(40, 3).astype(np.float32))
    config = config.for_data(DataConfig("arrays"), Event((3,)))
    train(config, vectors, run_dir, replicas(1), progress=False)


def test_files_of_a_run():
    path, printed = digits_run()
    run = RunDir(path)
    for name, columns in (("metrics.csv", COLUMNS), ("times.csv", TIMES)):
        with open(path / name, newline="") as file:
            header, *rows = csv.reader(file)
        assert header == columns and [int(row[0]) for row in rows] == list(range(EVERY, STEPS + 1, EVERY))
        assert all(np.isfinite(float(cell)) for row in rows for cell in row)
    assert [p.name for p in sorted(run.samples.iterdir())] == [f"step-{int(row[0]):07d}.png" for row in rows]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in run.samples.iterdir())
    [events] = run.tensorboard.iterdir()
    tags = {value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value}
    assert tags >= {"samples", *COLUMNS[1:], *TIMES[1:]}
    best, last = (run.load_flow(which) for which in ("best", "last"))
    state = TrainingState(run.config)
    assert run.checkpoints().load(state.everything).step == STEPS
    for a, b in zip(last.get_weights(), state.averaged.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    top = max(row["valid_log_prob"] for row in run.read_metrics())
    assert Evaluator(best).evaluate(DIGITS.valid)["log_prob"] == pytest.approx(top, abs=1e-3)
    assert printed.keys() >= {"bits_per_dim", "standard_error", "log_prob", "examples", "run_dir", "parameters"}
    assert (printed["split"], printed["examples"], printed["run_dir"]) == ("test", 297, str(path))
    assert not leftovers(path)


def test_a_score_is_the_same_each_time_and_of_one_image():
    path, printed = digits_run()
    again = figures("evaluate", f"--run_dir={path}", "--noprogress")
    assert {k: again[k] for k in ("bits_per_dim", "log_prob")} == {k: printed[k] for k in ("bits_per_dim", "log_prob")}
    flow = nvp_tf.load(path)
    scores = {size: Evaluator(flow, size).log_probs(DIGITS.test, limit=100) for size in (1, 7, 100)}
    np.testing.assert_array_equal(Evaluator(flow, 100).log_probs(DIGITS.test, limit=100), scores[100])
    assert np.std(scores[100]) > 0.1
    for size in (1, 7):
        np.testing.assert_allclose(scores[size], scores[100], rtol=0, atol=1e-3)


def replicas(number):
    """A strategy on so many of the logical CPUs; two of them only once a session, as `make_strategy` says."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0"]) if number == 1 else make_strategy("mirrored")
    assert strategy.num_replicas_in_sync == number
    return strategy


def test_variables_have_one_name_to_tensorflow():
    """Which is time and memory (`unnamed_variables`); Keras tells them apart."""
    variables = TrainingState(sgd_config(clip_norm=1.0)).everything
    assert len({variable.value.name for variable in variables}) == 1 < len({variable.path for variable in variables})


def test_adam_is_keras_adam():
    """Of gradients of every size, down to those that its epsilon damps; a weight's steps are its own."""
    rng = np.random.RandomState(0)
    start, sizes = rng.randn(50).astype("float32"), np.logspace(-9, 3, 50).astype("float32")
    ours, theirs = (keras.Variable(start), keras.Variable(start))
    optimizers = [Adam(0.01), keras.optimizers.Adam(0.01)]
    for _ in range(5):
        gradient = tf.constant(sizes * rng.randn(50).astype("float32"))
        for optimizer, variable in zip(optimizers, (ours, theirs), strict=True):
            optimizer.apply_gradients([(gradient, variable)])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    assert np.abs(ours.numpy() - start).max() > 0.01
