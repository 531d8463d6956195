"""What a data set is: three disjoint splits, each read by index as a pure function."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from nvp_tf.data.random_integers import random_integers
from nvp_tf.event import Event

_FLIP = 1  # Streams of random_integers; crops have another.

# What people call the folder or file of a split of their own.
PART_NAMES = {"train": ("train",), "valid": ("valid", "val", "validation"), "test": ("test",)}


class Split:
    """Examples by number.

    size: how many there are.
    """

    size: int

    def read(self, index: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The examples numbered `index`: a pure function of its arguments that a graph can hold.

        Args:
          index: int64 [n], each in [0, size).
          seed: int64 [n, 2], one pair an example; whatever is random about an example depends on it alone.

        Returns:
          uint8 [n, height, width, channels], or float32 or float64 [n, dimensions].
        """
        raise NotImplementedError


@dataclass(frozen=True)
class DataSet:
    """Three disjoint splits that are the same in every process.

    about: what else there is to tell of it, for a line of JSON: {"pictures": 27, "passed_over": 3}.
    """

    name: str
    event: Event
    train: Split
    valid: Split
    test: Split
    about: Any = field(default_factory=dict)


class ArraySplit(Split):
    """An array in memory: [size, *event_shape], uint8, float32 or float64."""

    def __init__(self, array: np.ndarray | tf.Tensor) -> None:
        self.size = len(array)
        # On the CPU whatever else there is: the pipeline runs there.
        with tf.device("CPU:0"):
            self._array = tf.constant(array)

    def read(self, index: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        del seed  # Nothing is random about an example here.
        return tf.gather(self._array, index)


class Flipped(Split):
    """Another split's images, each mirrored left to right with probability 1/2."""

    def __init__(self, split: Split) -> None:
        self.size = split.size
        self._split = split

    def read(self, index: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        images = self._split.read(index, seed)
        flip = random_integers(seed, _FLIP, 2) == 1
        return tf.where(flip[:, None, None, None], tf.reverse(images, axis=[2]), images)
