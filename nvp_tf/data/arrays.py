"""A person's own arrays as a data set."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from nvp_tf.data.split import ArraySplit, DataSet
from nvp_tf.errors import UserError
from nvp_tf.event import Event

ARRAYS = "arrays"  # what arrays are called that have no other name
_HELD_OUT = 10  # One example in so many for each split that is not given.


def from_arrays(
    train: ArrayLike,
    valid: ArrayLike | None = None,
    test: ArrayLike | None = None,
    levels: int | None = 256,
    name: str = ARRAYS,
) -> DataSet:
    """A data set of arrays in memory.

    Args:
      train: integer images [n, height, width] or [n, height, width, channels] with values 0 to levels - 1,
        or float vectors [n, dimensions].
      valid, test: more of the same; for each that is None, a tenth of `train` is held out, always the same.
      levels: how many values a pixel has, 2 to 256; not used for vectors, which have None.
      name: what messages call it.

    Raises:
      UserError: another type or rank, values out of range, shapes that differ, or too few examples.
    """
    if levels is not None and not 2 <= levels <= 256:
        raise UserError(f"levels is {levels}, expected 2 to 256")
    given = {"train": train, "valid": valid, "test": test}
    parts = {part: _checked(array, f"{name}.{part}", levels) for part, array in given.items() if array is not None}
    if all(array.dtype.kind == "f" for array in parts.values()):
        kind = np.result_type(*parts.values())
        parts = {part: array.astype(kind, copy=False) for part, array in parts.items()}
    shape, kind = parts["train"].shape[1:], parts["train"].dtype
    for part, array in parts.items():
        if (array.shape[1:], array.dtype) != (shape, kind):
            raise UserError(
                f"{name}.{part} has examples of {array.dtype} {array.shape[1:]}, expected {kind} {shape} as in train"
            )
    parts = _complete(parts, name)
    splits = {part: ArraySplit(array) for part, array in parts.items()}
    return DataSet(name=name, event=_event(parts["train"], levels), **splits)


def held_out(array: ArrayLike, levels: int | None, name: str = ARRAYS) -> DataSet:
    """A data set each of whose splits is all of an array: examples that nothing was trained on.

    Raises:
      UserError: as of `from_arrays`.
    """
    array = _checked(array, name, levels)
    every = ArraySplit(array)
    return DataSet(name, _event(array, levels), every, every, every)


def _event(array: np.ndarray, levels: int | None) -> Event:
    if array.dtype == np.uint8:
        return Event(array.shape[1:], levels)
    return Event(array.shape[1:], reals=array.dtype.name)


def _complete(parts: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """`parts` with each missing split held out from train by a fixed permutation."""
    missing = [part for part in ("valid", "test") if part not in parts]
    if not missing:
        return dict(parts)
    train = parts["train"]
    each = max(1, len(train) // _HELD_OUT)
    if len(train) <= each * len(missing):
        raise UserError(f"{name}.train has {len(train)} examples, expected at least {len(missing) + 1}")
    order = np.random.RandomState(0).permutation(len(train))
    *held_out, rest = np.split(train[order], each * np.arange(1, len(missing) + 1))
    return {**parts, **dict(zip(missing, held_out, strict=True)), "train": rest}


def _checked(given: ArrayLike, where: str, levels: int | None) -> np.ndarray:
    """uint8 [n, height, width, channels], or float32 or float64 [n, dimensions]."""
    try:
        array = np.asarray(given)
    except ValueError:
        raise UserError(f"{where} is ragged, expected examples of one shape") from None
    if array.ndim not in (2, 3, 4) or array.size == 0:
        raise UserError(f"{where} has shape {array.shape}, expected images [n, h, w(, c)] or vectors [n, d]")
    return _vectors(array, where) if array.ndim == 2 else _images(array, where, levels)


def _vectors(array: np.ndarray, where: str) -> np.ndarray:
    if array.dtype.kind != "f":
        raise UserError(f"{where} has rank 2 and type {array.dtype}, expected floats for vectors [n, d]")
    array = array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32)
    with np.errstate(over="ignore"):  # What float32 cannot hold becomes inf, and that is refused.
        if not np.isfinite(array.astype(np.float32)).all():
            raise UserError(f"{where} has NaN or infinite values, expected finite float32")
    return array


def _images(array: np.ndarray, where: str, levels: int | None) -> np.ndarray:
    if levels is None:
        raise UserError(f"levels is None and {where} has rank {array.ndim}, expected 2 to 256 for images")
    if array.dtype.kind not in "iu":
        raise UserError(f"{where} has type {array.dtype}, expected integers 0..{levels - 1} for images")
    low, high = array.min(), array.max()
    if low < 0 or high >= levels:
        raise UserError(f"{where} has values {low} to {high}, expected integers 0..{levels - 1}")
    array = array.astype(np.uint8)
    return array[..., None] if array.ndim == 3 else array
