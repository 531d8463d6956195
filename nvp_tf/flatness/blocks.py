"""Where each weight tensor of a model lies in the flat vector of all its trainable weights."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Block:
    """One trainable weight: entries [start, stop) of the flat vector, in row-major order of `shape`."""

    name: str
    layer: str
    start: int
    stop: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)


def blocks_of(model: keras.Model) -> tuple[Block, ...]:
    """The blocks of `model.trainable_variables`, in that order. Names are paths, numbered where two are the same."""
    blocks, start = [], 0
    seen: Counter[str] = Counter()
    for variable in model.trainable_variables:
        seen[variable.path] += 1
        number = f"#{seen[variable.path]}" if seen[variable.path] > 1 else ""
        shape = tuple(variable.shape)
        stop = start + math.prod(shape)
        layer = variable.path.rpartition("/")[0] or variable.path
        blocks.append(Block(variable.path + number, layer + number, start, stop, shape))
        start = stop
    return tuple(blocks)


def by_layer(blocks: Sequence[Block]) -> dict[str, list[Block]]:
    """{layer: its blocks}, in the order of the flat vector."""
    layers: dict[str, list[Block]] = {}
    for block in blocks:
        layers.setdefault(block.layer, []).append(block)
    return layers


def flatten(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays, one a block -> [dim] float64."""
    return np.concatenate([np.asarray(array, np.float64).reshape(-1) for array in arrays])


def unflatten(vector: np.ndarray, blocks: Sequence[Block]) -> list[np.ndarray]:
    """[dim] -> arrays, one a block; the opposite of `flatten`."""
    return [np.asarray(vector)[block.slice].reshape(block.shape) for block in blocks]


def split(vector: tf.Tensor, blocks: Sequence[Block]) -> list[tf.Tensor]:
    """`unflatten` within a graph."""
    parts = tf.split(vector, [block.size for block in blocks])
    return [tf.reshape(part, block.shape) for part, block in zip(parts, blocks, strict=True)]


def weights_of(model: keras.Model) -> np.ndarray:
    """The flat vector of the model's trainable weights, [dim] float64."""
    return flatten([variable.value.numpy() for variable in model.trainable_variables])
