"""A run that diverges goes back, goes on with a lower rate, says so, and gives up in the end; or was it the data."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from brief import assert_same_files, brief, train
from commands import leftovers

import nvp_tf
from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.split import DataSet, Split
from nvp_tf.evaluation.evaluator import Evaluator
from nvp_tf.event import Event
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.training import steps
from nvp_tf.training.distributed.strategies import make_strategy
from nvp_tf.training.divergence import Diverged, Divergence, check_score
from nvp_tf.training.loop import Training

WIDE = from_arrays(3 * np.random.RandomState(0).randn(1000, 3).astype(np.float32))  # of entropy 7.55 nats
TOO_HIGH = brief(
    *("train.learning_rate=1e4", "train.rollback_factor=0.02", "train.ema_decay=0", "train.checkpoint_minutes=1e-9"),
    *("train.steps=40", "train.evaluate_every=10"),
)


def test_recovers_from_a_rate_that_diverges_and_from_being_killed_meanwhile(tmp_path, monkeypatch, capfd):
    run = train(TOO_HIGH, tmp_path / "run", WIDE)
    rows, rollbacks, said = run.read_metrics(), run.rollbacks, capfd.readouterr().err
    assert len(rollbacks) == 3 and [row["step"] for row in rows] == [10, 20, 30, 40]
    assert rollbacks[0]["step"] < 10 and "gradient norm inf" in rollbacks[0]["reason"]
    assert "bits/dim worse than before training" in rollbacks[-1]["reason"]
    for number, one in enumerate(rollbacks, 1):
        assert f"diverged at step {one['step']}: {one['reason']}\nback to step {one['to_step']} with the " in said
        assert f"learning rate times {0.02**number:g}, rollback {number} of 5\n" in said
    assert [row["rollbacks"] for row in rows] == [3] * 4
    assert rows[0]["learning_rate"] == pytest.approx(0.08 * (1 + np.cos(np.pi / 4)) / 2, rel=1e-5)
    assert rows[-1]["valid_log_prob"] > -9  # before training it is -16

    # What is on the disk between two steps is all that a process killed there leaves.
    for at in ((1, 4), (3, 25)):  # rollbacks, step

        def killed(self, batches, at=at, one_call=Training._one_call):
            if (len(self.progress.rollbacks), self.progress.step) == at:
                raise SystemExit
            one_call(self, batches)

        other = tmp_path / f"killed-{at}"
        with monkeypatch.context() as patch:
            patch.setattr(steps, "OPERATIONS", 0)  # each step is a call
            patch.setattr(Training, "_one_call", killed)
            with pytest.raises(SystemExit):
                train(TOO_HIGH, other, WIDE)
        assert train(TOO_HIGH, other, WIDE).rollbacks == rollbacks
        assert_same_files(RunDir(other), run)


class SpoiltFrom(Split):
    """Vectors with a NaN, where the first coupling changes them, from the training example of that number on."""

    size = 64

    def __init__(self, number):
        self.number = number

    def read(self, index, seed):
        x = tf.random.stateless_normal((tf.shape(index)[0], 3), [1, 2])
        return tf.where((seed[:, 1] >= self.number)[:, None] & [False, True, False], np.nan, x)


def vectors(*keys):
    config = nvp_tf.preset("realnvp_two_moons", "model.flow.couplings=2", "train.batch_size=8", *keys)
    return config.for_data(DataConfig("vectors"), Event((3,)))


@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_nan_in_the_data_ends_it_and_the_last_good_state_stays(number, tmp_path):
    config = vectors("train.evaluate_every=4", "train.steps=20", f"train.rollbacks={2 * (number - 1)}")
    whole, spoilt = SpoiltFrom(10**9), SpoiltFrom(8 * 9 + 6)  # of two replicas, the second's
    data = DataSet("spoilt", Event((3,)), spoilt, whole, whole)
    strategy = make_strategy("none" if number == 1 else "mirrored")
    assert strategy.num_replicas_in_sync == number
    times = "3 times, the last at" if number == 2 else "at"
    said = rf"diverged {times} step 10: .* is nan nats, of coupling_1; the checkpoint of step 8 is kept; try .*rate"
    with pytest.raises(Diverged, match=said):
        train(config, tmp_path, data, strategy)
    assert RunDir(tmp_path).checkpoints().list()[-1].step == 8
    assert np.isfinite(nvp_tf.load(tmp_path).log_prob(np.zeros((1, 3), np.float32)).numpy()).all()
    # The same run on data that is whole goes on from the state of step 8.
    run = train(config, tmp_path, replace(data, train=whole), strategy)
    assert [row["step"] for row in run.read_metrics()] == [4, 8, 12, 16, 20]


def test_absurd_rate_is_one_line(tmp_path):
    absurd = [f"train.{key}" for key in ("learning_rate=1e12", "clip_norm=1e30", "rollbacks=1", "steps=20")]
    with pytest.raises(Diverged) as caught:
        train(vectors(*absurd), tmp_path, from_arrays(np.random.RandomState(0).randn(40, 3).astype(np.float32)))
    for said in ("diverged 2 times, the last at step ", "log_det", " of coupling_", "lower train.learning_rate"):
        assert said in str(caught.value)
    assert "\n" not in str(caught.value) and not leftovers(tmp_path)


def test_held_out_data_far_from_the_training_data_ends_it(tmp_path):
    """Finite, and training itself goes well: as where running statistics are not those of the data."""
    rng = np.random.RandomState(0)
    near, far = (scale * rng.randn(64, 3).astype(np.float32) for scale in (0.001, 1))
    keys = ("train.steps=40", "train.evaluate_every=20", "train.rollbacks=1", "model.flow.batch_norm=true")
    said = r"2 times, the last at step 20: the validation score is -\d.* bits/dim worse than before training, expected "
    with pytest.raises(Diverged, match=said + r"at most 2 \(train.explosion\)"):
        train(vectors(*keys), tmp_path, from_arrays(near, far, near))


# scores of one evaluation after another -> which of them is a divergence, if any; 2 dimensions, -3 before training
@pytest.mark.parametrize(
    ("scores", "diverged"),
    [
        ([-2.5, -2.0, -1.5], None),
        ([-4.0, -6.0, -8.0, -10.0, -12.0], None),  # it overfits
        ([-2.0, -9.0], 1),
        ([-9.0], 0),
        ([-2.0, float("nan")], 1),
        ([float("inf")], 0),
        ([-2.0, float("-inf")], 1),
    ],
)
def test_what_is_an_explosion(scores, diverged):
    rows = [{"step": step, "valid_log_prob": score} for step, score in enumerate(scores)]
    for number, row in enumerate(rows):
        if number == diverged:
            with pytest.raises(Divergence, match=f"step {number}: the validation score is "):
                check_score(row, rows[:number], -3.0, 2, 2.0)
        else:
            check_score(row, rows[:number], -3.0, 2, 2.0)


def test_a_bad_score_is_not_kept(tmp_path, monkeypatch):
    """NaN at the third evaluation after that of the untrained model: its weights are neither the best nor the last,
    and the run goes on."""
    untrained = -3.0
    scores = iter([untrained, -3.0, -2.0, float("nan"), -4.0, -1.0])
    monkeypatch.setattr(
        Evaluator, "evaluate", lambda self, split, **kwargs: {"log_prob": next(scores), "bits_per_dim": None}
    )
    monkeypatch.setattr(RunDir, "write_score", lambda *_: None)
    saved = []
    monkeypatch.setattr(RunDir, "save_flow", lambda self, flow, best, save=RunDir.save_flow: (
        saved.append(best), save(self, flow, best)))  # fmt: skip
    data = from_arrays(np.random.RandomState(0).randn(40, 3).astype(np.float32))
    with pytest.raises(StopIteration):  # at the test split
        train(vectors("train.steps=4", "train.evaluate_every=1"), tmp_path, data)
    assert saved == [True, True, False, True]
    assert [row["valid_log_prob"] for row in RunDir(tmp_path).read_metrics()] == [-3.0, -2.0, -4.0, -1.0]
    [record] = json.loads((tmp_path / "rollbacks.json").read_text())
    assert record == {"step": 3, "to_step": 2, "reason": "the validation score is nan nats, expected a number"}
