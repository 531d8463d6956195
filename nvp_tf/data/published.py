"""Published data sets: where one has no validation split, the last of its training images are held out."""

import numpy as np

from nvp_tf.data.prepared import PreparedSplit
from nvp_tf.data.preparing import prepare
from nvp_tf.data.split import ArraySplit, DataSet
from nvp_tf.errors import UserError
from nvp_tf.event import Event

_MOST_HELD_OUT = 5000  # Images; otherwise a twentieth.


def published_arrays(name, train, test, valid=None, held_out=None):
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


def published_images(name, train, test, valid=None, held_out=None, window=None):
    """A data set of Sources, prepared and then read from the cache.

    Args:
      name, held_out: as above.
      train, test, valid: Sources of images; without `valid` it is held out of `train`.
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


def _rest(name, size, held_out):
    """How many of `size` training images are left to train on."""
    held_out = held_out or max(1, min(size // 20, _MOST_HELD_OUT))
    if size <= held_out:
        raise UserError(f"{name} has {size} training images, expected more than the {held_out} that are held out")
    return size - held_out
