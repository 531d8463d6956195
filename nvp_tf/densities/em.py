"""Expectation maximization under a budget: iterations until they converge or the budget is spent."""

from typing import Protocol

import numpy as np

from nvp_tf.data.split import Split
from nvp_tf.densities.budget import Budget, Fit
from nvp_tf.densities.contract import Density, Domain, examples
from nvp_tf.errors import UserError

VALIDATED = 1000  # examples that a choice is made by
MOST_VALUES = 2**26  # of the training data, in memory
TOLERANCE = 1e-7  # nats a dimension: an iteration that gains less is the last
_EVALUATE = 1.3  # the factor by which iterations grow between two evaluations


class Algorithm(Protocol):
    """EM for one kind of mixture."""

    def iterate(self, most: int) -> list[float]:
        """At most so many iterations; the mean log-likelihood of each, nats an example, before it moved."""

    def weights(self) -> list[np.ndarray]:
        """For the density's model."""


def rows(domain: Domain, split: Split, seed: int) -> np.ndarray:
    """Training examples for EM: float64 [n, D], standardized vectors, or (x + u) / levels with u drawn once.

    Raises:
      UserError: fewer than two examples.
    """
    if split.size < 2:
        raise UserError(f"there is {split.size} training example, expected at least 2 for a covariance")
    x = examples(split, max(2, MOST_VALUES // domain.dimensions)).reshape(-1, domain.dimensions)
    if not domain.is_image:
        return (x.astype(np.float64) - domain.shift) / domain.scale if domain.scale else x.astype(np.float64)
    return (x + np.random.default_rng(seed).random(x.shape)) / (domain.top + 1)


def maximize(density: Density, algorithm: Algorithm, n: int, valid: Split, budget: Budget) -> Fit:
    """Iterates, and leaves the weights that score best on validation data in the density's model.

    Args:
      algorithm: begun.
      n: examples that an iteration looks at.
    """
    fit, best, held_out = Fit(ended="budget"), None, examples(valid, VALIDATED)
    likelihoods: list[float] = []
    next_evaluation, count, seconds = 1, 1, 0.0
    while not budget.spent(len(likelihoods)):
        began = budget.used
        most = min(count, next_evaluation - len(likelihoods), (budget.steps or 10**9) - len(likelihoods))
        likelihoods += algorithm.iterate(max(1, most))
        seconds += budget.used - began
        each = seconds / len(likelihoods)
        count = max(1, min(64, int(budget.left / 4 / max(each, 1e-9)))) if budget.seconds else 64
        converged = len(likelihoods) > 2 and likelihoods[-1] - likelihoods[-2] < TOLERANCE * density.domain.dimensions
        if converged or budget.spent(len(likelihoods)) or len(likelihoods) >= next_evaluation:
            next_evaluation = max(next_evaluation + 1, int(next_evaluation * _EVALUATE))
            weights = algorithm.weights()
            density.model.set_weights(weights)
            value = float(density.scores(held_out).value.mean())
            row = {"seconds": budget.used, "steps": len(likelihoods), "train": None, "valid": value}
            fit.rows.append(row)
            if np.isfinite(value) and (best is None or value > best[0]):
                best = value, weights
        if converged:
            fit.ended = "converged"
            break
    if best:
        density.model.set_weights(best[1])
    fit.seconds, fit.steps, fit.best = budget.used, len(likelihoods), best and best[0]
    fit.images_per_second = n * len(likelihoods) / seconds if seconds else None
    return fit
