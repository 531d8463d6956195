"""Published data sets: where one has no validation split, the last of its training images are held out."""

import numpy as np

from nvp_tf.data.prepared import PreparedSplit
from nvp_tf.data.preparing import Source, prepare
from nvp_tf.data.split import ArraySplit, DataSet
from nvp_tf.errors import UserError
from nvp_tf.event import Event

_MOST_HELD_OUT = 5000  # Images; otherwise a twentieth.


def published_arrays(
    name: str, train: np.ndarray, test: np.ndarray, valid: np.ndarray | None = None, held_out: int | None = None
) -> DataSet:
    """A data set in memory.

    Args:
      name: of the data set.
      train, test, valid: uint8 [n, height, width, channels], each of one shape; without `valid` it is held out.
      held_out: how many images that is; None for a twentieth of them, 5000 at most.

    Raises:
      UserError: nothing is left to train on.
    """
    if valid is None:
        rest = _rest(name, len(train), held_out)
        train, valid = train[:rest], train[rest:]
    splits = {"train": ArraySplit(train), "valid": ArraySplit(valid), "test": ArraySplit(test)}
    return DataSet(name=name, event=Event(train.shape[1:], 256), **splits)


def published_images(
    name: str,
    train: Source,
    test: Source,
    valid: Source | None = None,
    held_out: int | None = None,
    window: tuple[int, int] | None = None,
) -> DataSet:
    """A data set of Sources, prepared and then read from the cache.

    Args:
      name, held_out: as above.
      train, test, valid: of images; without `valid` it is held out of `train`.
      window: (height, width) of the crop, at a random place, that is an example; None for whole images, of one size.

    Raises:
      UserError: what `prepare` raises, images that differ in size, or none.
    """
    sources = {"train": train, "valid": valid, "test": test}
    images = {part: prepare(source) for part, source in sources.items() if source}
    for part, of_part in images.items():
        if not of_part.size:
            raise UserError(f"{name} has no {part} images that can be read")
    window = window or images["train"].one_size()
    splits = {part: PreparedSplit(of_part, window) for part, of_part in images.items()}
    if valid is None:
        size = images["train"].size
        rest = _rest(name, size, held_out)
        splits["train"] = PreparedSplit(images["train"], window, np.arange(rest))
        splits["valid"] = PreparedSplit(images["train"], window, np.arange(rest, size))
    return DataSet(name=name, event=Event((*window, images["train"].channels), 256), **splits)


def _rest(name: str, size: int, held_out: int | None) -> int:
    """How many of `size` training images are left to train on."""
    held_out = held_out or max(1, min(size // 20, _MOST_HELD_OUT))
    if size <= held_out:
        raise UserError(f"{name} has {size} training images, expected more than the {held_out} that are held out")
    return size - held_out
