"""Gradient descent under a budget: as many steps as it holds, the weights that score best on validation data kept."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from nvp_tf.data.pipeline import training_batches
from nvp_tf.data.split import Split
from nvp_tf.densities.budget import Budget, Fit
from nvp_tf.densities.contract import Scores, examples

VALIDATED = 1000  # examples that a choice is made by
EVALUATIONS = 20  # of a budget, at most
_SHARE = 0.1  # of the time that evaluations may take
_CALL = 0.1  # seconds: steps of one call take about as long, so that a budget is honoured
_MOST_STEPS = 256  # of a call
_UNKNOWN = 10**9  # steps of a budget of which nothing is used yet


def cosine(progress: tf.Tensor) -> tf.Tensor:
    """A half cosine from 1 to 0 as progress goes from 0 to 1."""
    return 0.5 * (1 + tf.cos(np.pi * tf.clip_by_value(progress, 0.0, 1.0)))


class Scored(Protocol):
    """What has scores, and a Keras model with the weights that they hang on: a `Density`."""

    model: Any

    def scores(self, x: np.ndarray, /) -> Scores:
        """Of examples, the higher the better."""


class Descent:
    """The loop of `fit`, whatever a step is.

    Args:
      density: whose scores choose the weights that are kept.
      step: a graph, (batch of `training_batches`, step number int64 [], progress float32 [] in [0, 1]) -> loss [].
      train, valid: splits.
      batch_size: examples a step; fewer where the split has fewer.
      seed: of order and noise.
      settle: brings `density.model` to the weights that are to be scored, before each evaluation.
    """

    def __init__(
        self,
        density: Scored,
        step: Callable,
        train: Split,
        valid: Split,
        batch_size: int,
        seed: int,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self.density, self.settle = density, settle
        self.batch_size = min(batch_size, train.size)
        self.batches = iter(training_batches(train, self.batch_size, seed))
        self.held_out = examples(valid, VALIDATED)
        self.steps = 0
        self.losses: list[float] = []
        self.timed, self.training = 0, 0.0  # steps and seconds of all calls but the first
        self.best: tuple[float, list[np.ndarray]] | None = None
        self.evaluation = 0.0
        self.call = tf.function(self._steps(step), autograph=False)

    def run(self, budget: Budget) -> Fit:
        """Trains, and leaves the best weights in `density.model`."""
        fit, count, due = Fit(), 1, 1 / EVALUATIONS
        self.density.scores(self.held_out[:1])  # traced: what an evaluation takes is measured later
        while not self._spent(budget):
            if budget.steps is not None:  # an evaluation is of the same step each time
                count = max(1, min(count, math.ceil(min(due, 1.0) * budget.steps) - self.steps))
            seconds = self._call(budget, count)
            if not np.isfinite(self.losses[-1]):
                fit.ended = f"a loss of {self.losses[-1]:g} at step {self.steps}"
                break
            count = _next_count(count, seconds)
            if budget.fraction(self.steps) >= due:
                due = self._evaluate(fit, budget)
        if self.losses and np.isfinite(self.losses[-1]):
            self._evaluate(fit, budget)
        if self.best:
            self.density.model.set_weights(self.best[1])
        fit.seconds, fit.steps, fit.best = budget.used, self.steps, self.best and self.best[0]
        fit.images_per_second = self.timed * self.batch_size / self.training if self.timed else None
        return fit

    def _spent(self, budget: Budget) -> bool:
        """An evaluation must still fit in."""
        return budget.spent(self.steps) or budget.left < 1.2 * self.evaluation

    def _call(self, budget: Budget, count: int) -> float:
        fraction = budget.fraction(self.steps)
        total = budget.steps or (int(self.steps / fraction) if self.steps and fraction else _UNKNOWN)
        began = time.perf_counter()
        first, total = tf.constant(self.steps, tf.int64), tf.constant(total, tf.float32)
        done, loss = self.call(self.batches, tf.constant(count), first, total)
        done, seconds = int(done), time.perf_counter() - began
        self.losses.append(float(loss))
        if self.steps:  # the first call is traced
            self.timed, self.training = self.timed + done, self.training + seconds
        self.steps += done
        return seconds

    def _evaluate(self, fit: Fit, budget: Budget) -> float:
        """A row of the fit; returns the share of the budget at which the next is due."""
        began = time.perf_counter()
        self.settle()
        value = float(self.density.scores(self.held_out).value.mean())
        fit.rows.append(
            {"seconds": budget.used, "steps": self.steps, "train": -float(np.mean(self.losses)), "valid": value}
        )
        self.losses.clear()
        if np.isfinite(value) and (self.best is None or value > self.best[0]):
            self.best = value, self.density.model.get_weights()
        self.evaluation = time.perf_counter() - began
        wait = 0.0 if budget.steps or budget.seconds is None else self.evaluation / _SHARE / budget.seconds
        return budget.fraction(self.steps) + max(1 / EVALUATIONS, wait)

    def _steps(self, step: Callable) -> Callable:
        """(batches, count, first, total) -> (steps done, mean loss): ends early at a loss that is not finite."""

        def steps(
            batches: Iterator, count: tf.Tensor, first: tf.Tensor, total: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            def body(done: tf.Tensor, _: tf.Tensor, losses: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
                number = first + tf.cast(done, tf.int64)
                loss = tf.cast(step(next(batches), number, tf.cast(number, tf.float32) / total), tf.float32)
                return done + 1, tf.math.is_finite(loss), losses + loss

            begin = (tf.constant(0), tf.constant(True), tf.constant(0.0))
            done, _, losses = tf.while_loop(lambda done, finite, _: finite & (done < count), body, begin)
            return done, losses / tf.cast(done, tf.float32)

        return steps


def _next_count(count: int, seconds: float) -> int:
    """Steps of the next call, from what the last one took."""
    return max(1, min(2 * count, int(count * _CALL / max(seconds, 1e-6)), _MOST_STEPS))
