"""A person's own arrays as a data set."""

import sys
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nvp_tf.data.given import examples, parts
from nvp_tf.data.split import ArraySplit, DataSet
from nvp_tf.errors import UserError
from nvp_tf.event import CHANNELS_LAST, Event

ARRAYS = "arrays"  # what arrays are called that have no other name
_HELD_OUT = 10  # One example in so many for each split that is not given.


def from_arrays(
    train: object,
    valid: object | None = None,
    test: object | None = None,
    levels: int | None = 256,
    name: str = ARRAYS,
    channels_last: bool = False,
) -> DataSet:
    """A data set of arrays in memory.

    Args:
      train: integer images [n, height, width] or [n, height, width, channels] with values 0 to levels - 1,
        or float vectors [n, dimensions]: an array, a tensor, a tf.data.Dataset of examples or of batches, a DataFrame,
        or (images, labels), of which the labels are left.
      valid, test: more of the same; for each that is None, a tenth of `train` is held out, always the same.
      levels: how many values a pixel has, 2 to 256; not used for vectors, which have None.
      name: what messages call it.
      channels_last: images are [n, height, width, channels] also where they look like [n, channels, height, width].

    Raises:
      UserError: another type or rank, values out of range, shapes that differ, channels first, or too few examples.
    """
    if levels is not None and not 2 <= levels <= 256:
        raise UserError(f"levels is {levels}, expected 2 to 256")
    given = {"train": train} | {part: data for part, data in (("valid", valid), ("test", test)) if data is not None}
    arrays = {part: _checked(data, f"{name}.{part}", levels) for part, data in given.items()}
    if all(array.dtype.kind == "f" for array in arrays.values()):
        widest = np.result_type(*arrays.values())
        arrays = {part: array.astype(widest, copy=False) for part, array in arrays.items()}
    shape, kind = arrays["train"].shape[1:], arrays["train"].dtype
    if not channels_last:
        check_channels(arrays["train"].shape, f"{name}.train", "from_arrays(..., channels_last=True)")
    for part, array in arrays.items():
        if (array.shape[1:], array.dtype) != (shape, kind):
            raise UserError(
                f"{name}.{part} has examples of {array.dtype} {array.shape[1:]}, expected {kind} {shape} as in train"
            )
    splits = {part: ArraySplit(array) for part, array in _complete(arrays, name).items()}
    return DataSet(name=name, event=_event(arrays["train"], levels), **splits)


def data_set(data: object, levels: int | None = None) -> DataSet:
    """The data set that `data` is, or that `given.parts` of it make.

    levels: a model's, which are taken if they are enough (`enough_levels`).

    Raises:
      UserError: as of `from_arrays`.
    """
    if isinstance(data, DataSet):
        return data
    given = parts(data, ARRAYS)
    levels = enough_levels(given.values(), levels, ARRAYS)
    return from_arrays(given["train"], given.get("valid"), given.get("test"), levels)


def held_out(data: object, levels: int | None, name: str = ARRAYS) -> DataSet:
    """A data set each of whose splits is all of `data`: examples that nothing was trained on.

    Where `data` says itself which of it is held out, its splits are those.

    Raises:
      UserError: as of `from_arrays`.
    """
    given = parts(data, name)
    if len(given) > 1:
        return from_arrays(given["train"], given.get("valid"), given.get("test"), levels, name, channels_last=True)
    array = _checked(given["train"], name, levels)
    every = ArraySplit(array)
    return DataSet(name, _event(array, levels), every, every, every)


def _event(array: np.ndarray, levels: int | None) -> Event:
    if array.dtype == np.uint8:
        return Event(array.shape[1:], levels)
    return Event(array.shape[1:], reals=array.dtype.name)


def enough_levels(arrays: Iterable[np.ndarray], levels: int | None, where: str) -> int:
    """`levels` if there are integers, all of them below, else 256; with a word on stderr where it is too few."""
    highest = max((int(array.max()) for array in arrays if array.dtype.kind in "iu" and array.size), default=None)
    if levels is None or highest is None:
        return 256
    if highest >= levels:
        print(f"{where}: values up to {highest}, so 256 levels, not the config's {levels}", file=sys.stderr, flush=True)
        return 256
    return levels


def check_channels(shape: Sequence[int], where: str, otherwise: str) -> None:
    """Raises UserError for images [n, channels, height, width], as far as a shape tells.

    otherwise: how to say that they are [n, height, width, channels].
    """
    if len(shape) != 4:
        return
    _, channels, height, width = shape
    if channels < min(height, width) and ((channels <= 4 < width) or height == width):
        raise UserError(
            f"{where} has shape {tuple(shape)}, which looks like channels first, "
            f"expected [n, height, width, channels]{CHANNELS_LAST}; {otherwise} if it is that"
        )


def _complete(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """`arrays` with each missing split held out from train by a fixed permutation."""
    missing = [part for part in ("valid", "test") if part not in arrays]
    if not missing:
        return dict(arrays)
    train = arrays["train"]
    each = max(1, len(train) // _HELD_OUT)
    if len(train) <= each * len(missing):
        raise UserError(f"{name}.train has {len(train)} examples, expected at least {len(missing) + 1}")
    order = np.random.RandomState(0).permutation(len(train))
    *held_out, rest = np.split(train[order], each * np.arange(1, len(missing) + 1))
    return {**arrays, **dict(zip(missing, held_out, strict=True)), "train": rest}


def _checked(given: object, where: str, levels: int | None) -> np.ndarray:
    """uint8 [n, height, width, channels], or float32 or float64 [n, dimensions]."""
    array = examples(given, where)
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
        scaled = array.dtype.kind == "f" and 0 <= array.min() <= array.max() <= 1
        remedy = f": numpy.rint({levels - 1} * x).astype('uint8'), if they were divided" if scaled else ""
        raise UserError(f"{where} has type {array.dtype}, expected integers 0..{levels - 1} for images{remedy}")
    low, high = array.min(), array.max()
    if low < 0 or high >= levels:
        raise UserError(f"{where} has values {low} to {high}, expected integers 0..{levels - 1}")
    array = array.astype(np.uint8)
    return array[..., None] if array.ndim == 3 else array
