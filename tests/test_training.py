"""Training: exact on replicas, resumed to the bit after any kind of end, its scores functions of one image."""

import csv
import signal
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from commands import (
    EVERY,
    STEPS,
    TRAIN_DIGITS,
    digits_run,
    error_line,
    figures,
    finish,
    killed,
    leftovers,
    start,
    strike,
)

import nvp_tf
from nvp_tf import presets, training
from nvp_tf.config import DataConfig
from nvp_tf.data import from_arrays, load, training_batches
from nvp_tf.data.split import DataSet, Split
from nvp_tf.errors import UserError
from nvp_tf.evaluation import Evaluator
from nvp_tf.run_dir import RunDir

DIGITS = load(DataConfig("digits"))
COLUMNS = [
    "step", "minutes", "images_per_second", "learning_rate", "gradient_norm",
    "train_log_prob", "valid_log_prob", "train_bits_per_dim", "valid_bits_per_dim",
]  # fmt: skip


@pytest.mark.parametrize(
    "checkerboard, batch_norm, clip_norm",
    [("masked", True, 1e6), ("packed", True, 1e6), ("masked", True, 0.5), ("packed", False, 0.5)],
)
def test_two_replicas_are_one(checkerboard, batch_norm, clip_norm):
    """SGD, which does not hide a gradient's scale as Adam does; 7 examples are 4 and 3."""
    config = nvp_tf.preset(
        "realnvp_digits",
        *("model.flow.scales=1", "model.flow.filters=3", "model.flow.blocks=1", "model.flow.couplings=1"),
        f"model.flow.checkerboard={checkerboard}",
        *("train.batch_size=7", "train.l2=0.01", "train.ema_decay=0.9", f"train.clip_norm={clip_norm}"),
        f"model.flow.batch_norm={str(batch_norm).lower()}",
    )
    ends = [sgd_steps(config, number) for number in (1, 2)]
    (one, start, norms), (two, _, norms_of_two) = ends
    assert (min(norms) > clip_norm) == (clip_norm < 1), norms
    np.testing.assert_allclose(norms_of_two, norms, rtol=1e-4)
    assert max(np.abs(a - b).max() for a, b in zip(one, start, strict=True)) > 0.01
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5)


def sgd_steps(config, number, steps=12):
    """(weights after the steps, flow and average; before them; gradient norms)."""
    keras.utils.set_random_seed(0)
    strategy = replicas(number)
    with strategy.scope():
        state = training.TrainingState(config)
        state.optimizer = keras.optimizers.SGD(0.01)
        state.optimizer.build(state.flow.trainable_variables)
        # At beta 0 the zeros of a masked input, whose mean is 0 after a batch norm, sit on the kink of the
        # network's first ReLU: the sign of a rounding error would choose the gradient of all of them at once.
        for weight in state.flow.trainable_variables:
            if weight.path.endswith("/beta"):
                weight.assign(weight + 0.1)
        state.start_average()

    @tf.function
    def step(batch):
        _, norm = strategy.run(state.replica_step, args=(batch,))
        state.move_average()
        return strategy.experimental_local_results(norm)[0]

    weights = lambda: state.flow.get_weights() + state.averaged.get_weights()  # noqa: E731
    begin = weights()
    batches = strategy.experimental_distribute_dataset(training_batches(DIGITS.train, config.train.batch_size, seed=0))
    sizes = {}
    norms = []
    for batch, _ in zip(batches, range(steps), strict=False):
        sizes = [len(part) for part in strategy.experimental_local_results(batch["x"])]
        norms.append(float(step(batch)))
    assert sizes == ([7] if number == 1 else [4, 3])
    return weights(), begin, norms


def test_killed_and_interrupted_run_ends_as_an_uninterrupted_one(tmp_path):
    """SIGKILL after the first saved state, Ctrl-C after the second; the same command again, and --run_dir alone."""
    whole, _ = digits_run()
    part = RunDir(tmp_path / "run")
    command = ["train", *TRAIN_DIGITS, f"--run_dir={part.path}"]
    killed(start(*command), part.state)
    assert part.read_metrics()[0]["step"] == EVERY
    assert iterations(part.state) < STEPS
    (part.path / "partial-1-state.weights.h5").write_bytes(b"what a kill amid writing leaves")
    status, out, err = strike(start(*command), signal.SIGINT, part.state)
    assert (status, out) == (130, "")
    assert err.splitlines()[-1].startswith("interrupted: stopped after step ") and "Traceback" not in err
    stopped = iterations(part.state)
    assert EVERY < stopped < STEPS and f"after step {stopped}:" in err
    printed = figures("train", f"--run_dir={part.path}", "--noprogress")
    assert printed["steps"] == STEPS and not leftovers(part.path)
    for file in ("state", "last", "best"):
        ours, theirs = (datasets(run / f"{file}.weights.h5") for run in (part.path, whole))
        assert ours.keys() == theirs.keys() and len(ours) > 20
        assert [name for name in ours if ours[name].tobytes() != theirs[name].tobytes()] == []
    scores = [
        [(row["step"], row["valid_log_prob"]) for row in RunDir(run).read_metrics()] for run in (whole, part.path)
    ]
    assert [row for row in scores[1] if row[1] is not None] == scores[0]


@pytest.mark.parametrize("number", [1, 2])
def test_whitening_is_fitted_before_the_first_step_and_kept(number, tmp_path):
    keys = ("steps=2", "evaluate_every=1", "batch_size=32")
    config = nvp_tf.preset("nice_digits", 'model.whitening={"share": 0.001}', *(f"train.{key}" for key in keys))
    training.train(config, DIGITS, tmp_path, replicas(number), progress=False)
    run = RunDir(tmp_path)
    flow, found = run.load_flow("last"), run.metadata["whitening"]  # the averaged weights
    x = DIGITS.train.read(np.arange(DIGITS.train.size), None)
    y = flow.pixels.dequantize(x, flow.noise_pattern())
    for layer in flow.bijector.layers[:3]:
        y, log_det = layer.forward(y)
    assert found["examples"] == len(x) and found["log_det"] == pytest.approx(float(log_det[0]), rel=1e-5)
    assert 0.5 < np.cov(y.numpy().T).diagonal().mean() < 1.1
    np.testing.assert_array_equal(flow.decode(flow.encode(x[:100])), x[:100])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_its_step(number, tmp_path, monkeypatch):
    def struck(self, step, batch, one_step=training._Training._one_step):
        if step == 3:
            signal.raise_signal(number)
        one_step(self, step, batch)

    monkeypatch.setattr(training._Training, "_one_step", struck)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt, match="stopped after step 3: the same command goes on from there"):
        train_vectors(tmp_path, evaluate_every=4)
    assert iterations(RunDir(tmp_path).state) == 3 and signal.getsignal(number) is before


def train_vectors(run_dir, evaluate_every=1):
    """Four steps on a few vectors."""
    keys = ("model.flow.couplings=2", "train.batch_size=8", "train.steps=4", f"train.evaluate_every={evaluate_every}")
    config = nvp_tf.preset("realnvp_two_moons", *keys)
    vectors = from_arrays(np.random.RandomState(0).randn(40, 3).astype(np.float32))
    config = config.for_data(DataConfig("arrays"), (3,), None)
    training.train(config, vectors, run_dir, replicas(1), progress=False)


def datasets(file):
    found = {}
    with h5py.File(file) as opened:
        opened.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


def iterations(state_file):
    [steps] = [value for name, value in datasets(state_file).items() if name == "optimizer/vars/0"]
    return int(steps)


def test_files_of_a_run():
    path, printed = digits_run()
    run = RunDir(path)
    with open(path / "metrics.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == COLUMNS and [int(row[0]) for row in rows] == list(range(EVERY, STEPS + 1, EVERY))
    assert all(np.isfinite(float(cell)) for row in rows for cell in row)
    assert [p.name for p in sorted(run.samples.iterdir())] == [f"step-{int(row[0]):07d}.png" for row in rows]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in run.samples.iterdir())
    [events] = run.tensorboard.iterdir()
    tags = {value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value}
    assert tags >= {"samples", *COLUMNS[1:]}
    best, last = (run.load_flow(which) for which in ("best", "last"))
    state = training.TrainingState(run.config)
    state.load_weights(run.state)
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
    strategy = tf.distribute.MirroredStrategy(["CPU:0"]) if number == 1 else training.make_strategy("mirrored")
    assert strategy.num_replicas_in_sync == number
    return strategy


class SpoiltFrom(Split):
    """Vectors with a NaN, where the first coupling changes them, from the training example of that number on."""

    size = 64

    def __init__(self, number):
        self.number = number

    def read(self, index, seed):
        x = tf.random.stateless_normal((tf.shape(index)[0], 3), [1, 2])
        return tf.where((seed[:, 1] >= self.number)[:, None] & [False, True, False], np.nan, x)


@pytest.mark.parametrize("number", [1, 2])
def test_nan_stops_and_the_last_good_state_stays(number, tmp_path):
    config = nvp_tf.preset(
        "realnvp_two_moons", "model.flow.couplings=2", "train.batch_size=8", "train.evaluate_every=4", "train.steps=20"
    )
    config = config.for_data(DataConfig("spoilt"), (3,), None)
    whole, spoilt = SpoiltFrom(10**9), SpoiltFrom(8 * 9 + 6)  # of two replicas, the second's
    data = DataSet("spoilt", (3,), None, spoilt, whole, whole)
    strategy = replicas(number)
    said = r"step 10: .* is nan nats, of coupling_1; the state of step 8 is kept; try .*rate"
    with pytest.raises(training.Diverged, match=said):
        training.train(config, data, tmp_path, strategy, progress=False)
    assert iterations(RunDir(tmp_path).state) == 8
    assert np.isfinite(nvp_tf.load(tmp_path).log_prob(np.zeros((1, 3), np.float32)).numpy()).all()
    # The same run on data that is whole goes on from the state of step 8.
    training.train(config, replace(data, train=whole), tmp_path, strategy, progress=False)
    assert [row["step"] for row in RunDir(tmp_path).read_metrics()] == [4, 8, 12, 16, 20]


def test_absurd_rate_is_one_line(tmp_path):
    absurd = [f"--set=train.{key}" for key in ("learning_rate=1e6", "warmup_steps=0", "clip_norm=1e30")]
    line = error_line(finish(start("train", *TRAIN_DIGITS, *absurd, f"--run_dir={tmp_path}")))
    for said in ("diverged at step ", "log_det", " of scale_", "lower train.learning_rate", "new run_dir"):
        assert said in line
    assert presets.get("realnvp_digits").config.train.learning_rate < 1 and not leftovers(tmp_path)


def test_a_bad_score_does_not_hide_the_best(tmp_path, monkeypatch):
    """A validation score that is NaN is never the best, and does not keep a later one from being it."""
    scores = iter([float("nan"), -3.0, -2.0, -4.0, -1.0])
    monkeypatch.setattr(Evaluator, "evaluate", lambda self, split: {"log_prob": next(scores), "bits_per_dim": None})
    saved = []
    monkeypatch.setattr(RunDir, "save_flow", lambda self, flow, which, save=RunDir.save_flow: (
        saved.append(which), save(self, flow, which)))  # fmt: skip
    train_vectors(tmp_path)
    assert saved == ["last", "last", "best", "last", "best", "last"]


def test_no_score_at_all_is_said(tmp_path, monkeypatch):
    score = {"log_prob": float("nan"), "bits_per_dim": None}
    monkeypatch.setattr(Evaluator, "evaluate", lambda self, split: score)
    with pytest.raises(UserError, match=r"has no best.weights.h5: each of its 4 validation scores is nan, expected a"):
        train_vectors(tmp_path)
    nvp_tf.load(tmp_path, weights="last")
