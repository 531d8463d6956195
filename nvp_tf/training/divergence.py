"""When a run has diverged, and what is said of it."""

import math

import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.models.flow import Flow


class Diverged(UserError):
    """A run that diverged once more than it may. The message names the step, the reason, and what to try."""


class Divergence(Exception):
    """What training must not go on from.

    step: where it was seen. reason: in one line.
    """

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(f"step {step}: {reason}")
        self.step, self.reason = step, reason


def largest_log_det(flow: Flow, batch: dict[str, tf.Tensor]) -> str:
    """The layer to look at after a loss that is not finite; `flow` and `batch` as they were when it was computed."""
    v = tf.cast(flow.to_reals(batch["x"], batch.get("noise")), flow.data_dtype)
    sizes = [(float(tf.reduce_max(tf.abs(log_det))), name) for name, log_det in flow.bijector.log_dets(v, True)]
    # A NaN is the largest: it compares as False with everything.
    size, name = max(sizes, key=lambda pair: (math.isnan(pair[0]), pair[0]))
    return f"the largest |log_det| is {size:g} nats, of {name}"


def check_score(row: dict, rows: list[dict], untrained: float, dimensions: int, explosion: float) -> None:
    """Raises Divergence where a validation score is not finite, or has exploded.

    It has where it is more than `explosion` bits/dim worse than at the evaluation before, or where there is none
    than an untrained model. It is not held against the training score: a model that overfits is far from that,
    too, but gets there slowly.

    Args:
      row: of metrics.csv, of this evaluation. rows: those before.
      untrained: mean log-likelihood of a few validation examples before the first step, nats.
      dimensions: of one example. explosion: `train.explosion`.
    """
    step, score = row["step"], row["valid_log_prob"]
    if not math.isfinite(score):
        raise Divergence(step, f"the validation score is {score:g} nats, expected a number")
    before, what = (rows[-1]["valid_log_prob"], "the one before") if rows else (untrained, "before training")
    worse = (before - score) / (dimensions * math.log(2))
    if not worse <= explosion:
        said = f"the validation score is {score:g} nats, {worse:.3g} bits/dim worse than {what}"
        raise Divergence(step, f"{said}, expected at most {explosion:g} (train.explosion)")
