"""All weights of a flow in few variables: hundreds of them are most of the time that a SavedModel takes to load."""

import math

import keras
import numpy as np
import tensorflow as tf

_ROW = 16  # float32 values: 64 bytes, what TensorFlow aligns to. Whole rows are split off without a copy.
_MOST_ROWS = 2**20  # of one variable, 64 MB; the converter to LiteRT does not take apart a constant of 256 MB


class PackedWeights:
    """The values of Keras variables, float32, one after the other, each on rows of its own.

    Every signature's graph captures what it reads: one variable here, 430 in a Real NVP for
    Fashion-MNIST, whose SavedModel loads in a third of the time for it. Large models have one for every 64 MB.

    Args:
      variables: Keras variables; their values are taken as they are now.
    """

    def __init__(self, variables: list[keras.Variable]) -> None:
        groups: list[list[keras.Variable]] = [[]]
        rows = 0
        for variable in variables:
            rows += _rows(variable)
            if groups[-1] and rows > _MOST_ROWS:
                groups.append([])
                rows = _rows(variable)
            groups[-1].append(variable)
        self._groups = groups
        self.packed = [tf.Variable(_packed(group), trainable=False) for group in groups]

    def in_place(self) -> keras.StatelessScope:
        """A context in which the variables have the packed values."""
        mapping = []
        for group, packed in zip(self._groups, self.packed, strict=True):
            parts = tf.split(packed, [_rows(variable) for variable in group])
            mapping += [(variable, _shaped(part, variable.shape)) for variable, part in zip(group, parts, strict=True)]
        return keras.StatelessScope(state_mapping=mapping)


def _rows(variable: keras.Variable) -> int:
    return -(-math.prod(variable.shape) // _ROW)


def _packed(variables: list[keras.Variable]) -> np.ndarray:
    packed = np.zeros((sum(_rows(variable) for variable in variables), _ROW), np.float32)
    first = 0
    for variable in variables:
        values = variable.numpy().ravel()
        packed[first : first + _rows(variable)].reshape(-1)[: values.size] = values
        first += _rows(variable)
    return packed


def _shaped(part: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    size = math.prod(shape)
    if size % _ROW:
        part = tf.reshape(part, [-1])[:size]
    return tf.reshape(part, shape)
