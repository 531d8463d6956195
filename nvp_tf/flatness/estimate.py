"""A number that was estimated from independent draws, with its standard error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """value +- error.

    error: one standard error of the value; NaN from a single draw.
    samples: the draws, [m]; empty where the value is exact.
    """

    value: float
    error: float
    samples: tuple[float, ...] = ()


def mean_of(samples: Sequence[float] | np.ndarray, offset: float = 0.0) -> Estimate:
    """offset + the mean of independent draws; error s / sqrt(m)."""
    drawn = np.asarray(samples, np.float64)
    error = float(drawn.std(ddof=1) / math.sqrt(len(drawn))) if len(drawn) > 1 else math.nan
    return Estimate(float(drawn.mean()) + offset, error, tuple(map(float, drawn)))


def root_of(squared: Estimate) -> Estimate:
    """sqrt(value), its error to first order; what should be positive and is not becomes 0."""
    value = math.sqrt(max(squared.value, 0.0))
    return Estimate(value, squared.error / (2 * value) if value > 0 else squared.error, squared.samples)
