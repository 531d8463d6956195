"""Data that is walked once for every product: checked, made tensors, halved."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError

Batch = tuple[object, np.ndarray]


def in_batches(x: np.ndarray, y: np.ndarray | None = None, batch_size: int = 128) -> list[Batch]:
    """Arrays -> [(x, y)] of `batch_size` examples, the last of what is left. y None: a density has no targets.

    Raises:
      UserError: no example, another number of targets, a batch of less than one.
    """
    if batch_size < 1:
        raise UserError(f"batch_size is {batch_size}, expected at least 1")
    x = np.asarray(x)
    if x.ndim < 1 or len(x) == 0:
        raise UserError(f"data has shape {x.shape}, expected at least one example")
    y = np.zeros(len(x)) if y is None else np.asarray(y)
    if len(y) != len(x):
        raise UserError(f"there are {len(x)} examples and {len(y)} targets, expected as many of each")
    return [(x[i : i + batch_size], y[i : i + batch_size]) for i in range(0, len(x), batch_size)]


class Tensors:
    """Each walk gives the batches as tensors: floats in float64, x in the dtype of the model's input where it has one.

    Args:
      batches: what can be walked again: a list, a tf.data.Dataset, an object with __iter__; of pairs (x, y).
      model: that takes them.
    """

    def __init__(self, batches: Iterable, model: keras.Model) -> None:
        if isinstance(batches, Iterator):
            raise UserError("batches can be walked once only, expected a list or a dataset: every product walks them")
        self._batches = batches
        inputs = getattr(model, "inputs", None)
        self._input_dtypes = [tensor.dtype for tensor in inputs] if inputs else None

    def __iter__(self) -> Iterator[tuple]:
        for number, batch in enumerate(self._batches):
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                raise UserError(f"batch {number} is not a pair (x, y)")
            x, y = batch
            yield self._inputs(x), _tensor(y)

    def checked(self) -> Iterator[tuple]:
        """A walk that looks at every value, for the first of many.

        Raises:
          UserError: a value that is not finite, no example, another number of targets.
        """
        number = -1
        for number, (x, y) in enumerate(self):
            for part in tf.nest.flatten(x):
                _check_finite(part, f"batch {number}: x")
                if len(part) != len(y):
                    raise UserError(f"batch {number} has {len(part)} examples and {len(y)} targets")
            _check_finite(y, f"batch {number}: y")
            yield x, y
        if number < 0:
            raise UserError("there is no batch of data, expected at least one example")

    def _inputs(self, x: object) -> object:
        parts = tf.nest.flatten(x)
        dtypes = (
            self._input_dtypes if self._input_dtypes and len(self._input_dtypes) == len(parts) else [None] * len(parts)
        )
        return tf.nest.pack_sequence_as(x, [_tensor(p, d) for p, d in zip(parts, dtypes, strict=True)])


class Part:
    """Every second example, from `first` (0 or 1) on: halves tell what few examples leave unknown."""

    def __init__(self, batches: Iterable, first: int) -> None:
        self._batches = batches
        self._first = first

    def __iter__(self) -> Iterator[tuple]:
        seen = 0
        for batch in self._batches:
            first, seen = (self._first - seen) % 2, seen + len(batch[1])
            part = tf.nest.map_structure(lambda value, first=first: value[first::2], tuple(batch))
            if len(part[1]):
                yield part


def _tensor(value: object, dtype: str | None = None) -> tf.Tensor:
    tensor = tf.convert_to_tensor(value)
    kind = tf.as_dtype(dtype or tensor.dtype)
    return tf.cast(tensor, tf.float64 if kind.is_floating else kind)


def _check_finite(value: tf.Tensor, what: str) -> None:
    if not value.dtype.is_floating:
        return
    finite = np.isfinite(value.numpy()).reshape(len(value), -1).all(axis=1) if len(value) else np.ones(0, bool)
    if not finite.all():
        wrong = np.flatnonzero(~finite)
        raise UserError(f"{what} has NaN or infinite values in {len(wrong)} examples, the first is {wrong[0]}")
