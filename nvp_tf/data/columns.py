"""What is known of the columns of vectors before training: which never vary, and which have few values."""

import dataclasses
import sys
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.random_integers import random_integers
from nvp_tf.data.split import DataSet, Split
from nvp_tf.errors import UserError

_LOOKED_AT = 100_000  # rows that distinct values are counted of
_REPEATS, _MOST = 4, 1000  # a column has few values where each is had so often, and there are no more
_SHARE, _LEAST = 0.05, 5  # or where so large a part of the rows, and at least so many, have one of them
_NOISE = 64  # the first of as many streams of random_integers as there are columns
_BITS = 31


@dataclass(frozen=True)
class FewValues:
    """A column of which a density is not bounded: it may be as narrow around each value as it likes.

    count: its distinct values. step: the smallest distance of two.
    """

    count: int
    step: float


class Dequantized(Split):
    """Another split's vectors, x + step (u - 1/2), u uniform in [0, 1) and of each example its own.

    Args:
      split: of vectors.
      steps: [dimensions], 0 for a column that stays as it is.
    """

    def __init__(self, split: Split, steps: np.ndarray) -> None:
        self.size, self._split, self._steps = split.size, split, steps

    def read(self, index: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        x = self._split.read(index, seed)
        drawn = random_integers(seed, range(_NOISE, _NOISE + len(self._steps)), 2**_BITS)
        return x + tf.constant(self._steps, x.dtype) * (tf.cast(drawn, x.dtype) / 2**_BITS - 0.5)


def dequantized(data: DataSet) -> DataSet:
    """A data set with noise as wide as their step on the columns of few values."""
    steps = np.zeros(data.event.dimensions)
    for i, found in few_valued(data.train).items():
        steps[i] = found.step
    train, valid, test = (Dequantized(split, steps) for split in (data.train, data.valid, data.test))
    return dataclasses.replace(data, train=train, valid=valid, test=test)


def few_valued(split: Split) -> dict[int, FewValues]:
    """Column -> its few values, of those that have few; none has only one."""
    x = np.concatenate(list(evaluation_batches(split, 4096, _LOOKED_AT)))
    found = {}
    for i, column in enumerate(x.T):
        values, counts = np.unique(column, return_counts=True)
        few = len(column) >= _REPEATS * len(values) and len(values) <= _MOST
        if len(values) > 1 and (few or counts.max() >= max(_LEAST, _SHARE * len(column))):
            gaps = np.diff(values.astype(np.float64))
            apart = gaps > 1e-9 * np.abs(values).max()  # sums of decimals differ by their rounding
            found[i] = FewValues(len(values), float(gaps[apart].min(initial=np.inf)) if apart.any() else 0.0)
    return found


def check_columns(data: DataSet) -> None:
    """Says on stderr which columns of vectors have few values; nothing of images.

    Raises:
      UserError: a column that never varies: its density would grow without end.
    """
    if data.event.is_image:
        return
    low, high = np.full(data.event.dimensions, np.inf), np.full(data.event.dimensions, -np.inf)
    for x in evaluation_batches(data.train, 4096):
        low, high = np.minimum(low, np.min(x, axis=0)), np.maximum(high, np.max(x, axis=0))
    if constant := np.flatnonzero(low == high).tolist():
        never = f"{_named(data, constant)} never var{'ies' if len(constant) == 1 else 'y'}"
        raise UserError(f"{never} in {data.name}, expected columns that do: a density of it would grow without end")
    few = few_valued(data.train)
    if few:
        counts = ", ".join(f"{_name(data, i)} {found.count:,}" for i, found in few.items())
        print(
            f"of few distinct values: {counts}; a density of such columns is not bounded, and a score says little; "
            "--set=data.dequantize=true adds uniform noise of their step",
            file=sys.stderr,
        )


def _named(data: DataSet, columns: list[int]) -> str:
    return f"column{'s' * (len(columns) > 1)} {', '.join(_name(data, i) for i in columns)}"


def _name(data: DataSet, column: int) -> str:
    return data.event.columns[column] if data.event.columns else str(column)
