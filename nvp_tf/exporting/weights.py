"""All weights of a flow in few variables: hundreds of them are most of the time that a SavedModel takes to load."""

import math

import keras
import numpy as np
import tensorflow as tf

_ROW = 16  # float32 values: 64 bytes, what TensorFlow aligns to. Whole rows are split off without a copy.
_LARGE = 1024  # values of a variable that is worth being kept as float16
_MOST_ROWS = 2**20  # of one variable, 64 MB; the converter to LiteRT does not take apart a constant of 256 MB


class PackedWeights:
    """The values of Keras variables, one after the other, each on rows of its own.

    Every signature's graph captures what it reads: one variable here, 430 in a Real NVP for
    Fashion-MNIST, whose SavedModel loads in a third of the time for it. Large models have one for every 64 MB. What
    float16 holds exactly (`in_half_precision`) is kept so, in one of its own, and is cast to float32 in the graph.

    Args:
      variables: Keras variables; their values are taken as they are now.
    """

    def __init__(self, variables: list[keras.Variable]) -> None:
        half = {id(variable): _is_half(variable) for variable in variables}
        self._groups: list[list[keras.Variable]] = []
        self.packed: list[tf.Variable] = []
        for dtype in (np.float32, np.float16):
            groups = _groups([v for v in variables if half[id(v)] == (dtype is np.float16)])
            self._groups += groups
            self.packed += [tf.Variable(_packed(group, dtype), trainable=False) for group in groups]

    def in_place(self) -> keras.StatelessScope:
        """A context in which the variables have the packed values."""
        mapping = []
        for group, packed in zip(self._groups, self.packed, strict=True):
            parts = tf.split(tf.cast(packed, tf.float32), [_rows(variable) for variable in group])
            mapping += [(variable, _shaped(part, variable.shape)) for variable, part in zip(group, parts, strict=True)]
        return keras.StatelessScope(state_mapping=mapping)


def _rows(variable: keras.Variable) -> int:
    return -(-math.prod(variable.shape) // _ROW)


def _is_half(variable: keras.Variable) -> bool:
    """Whether float16 holds all of its values, and they are many."""
    if math.prod(variable.shape) < _LARGE:
        return False
    values = variable.numpy()
    with np.errstate(over="ignore"):
        return bool((values.astype(np.float16) == values).all())


def _groups(variables: list[keras.Variable]) -> list[list[keras.Variable]]:
    """In order, none of more than `_MOST_ROWS`, but for a single larger one."""
    groups: list[list[keras.Variable]] = []
    rows = 0
    for variable in variables:
        rows += _rows(variable)
        if not groups or rows > _MOST_ROWS:
            groups.append([])
            rows = _rows(variable)
        groups[-1].append(variable)
    return groups


def _packed(variables: list[keras.Variable], dtype: type[np.floating]) -> np.ndarray:
    packed = np.zeros((sum(_rows(variable) for variable in variables), _ROW), dtype)
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
