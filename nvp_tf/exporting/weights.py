"""All weights of a flow in few variables: hundreds of them are most of the time that a SavedModel takes to load."""

import math
from collections import defaultdict

import keras
import numpy as np
import tensorflow as tf

_LARGE = 1024  # values of a variable that is worth being kept as float16
_MOST_VALUES = 2**24  # of one stack, 64 MB; the converter to LiteRT does not take apart a constant of 256 MB


class StackedWeights:
    """The values of Keras variables, those of one shape on top of each other: [k, *shape].

    Every signature's graph captures what it reads and takes it apart: in a Real NVP for digits that is 15 variables and
    an operation each, for 323 weights. Large ones are in several stacks. What float16 holds exactly
    (`in_half_precision`) is kept so, and is cast to float32 in the graph.

    Args:
      variables: Keras variables; their values are taken as they are now.
    """

    def __init__(self, variables: list[keras.Variable]) -> None:
        alike = defaultdict(list)
        for variable in variables:
            alike[_dtype(variable), tuple(variable.shape)].append(variable)
        self._groups: list[list[keras.Variable]] = []
        self.stacked: list[tf.Variable] = []
        for (dtype, shape), group in alike.items():
            most = max(1, _MOST_VALUES // math.prod(shape))
            for first in range(0, len(group), most):
                self._groups.append(group[first : first + most])
                values = np.stack([variable.numpy() for variable in self._groups[-1]])
                self.stacked.append(tf.Variable(values.astype(dtype), trainable=False))

    def in_place(self) -> keras.StatelessScope:
        """A context in which the variables have the stacked values."""
        mapping: list[tuple[keras.Variable, tf.Tensor]] = []
        for group, stack in zip(self._groups, self.stacked, strict=True):
            # No copies, where a row is a multiple of 64 bytes.
            mapping += zip(group, tf.unstack(tf.cast(stack, tf.float32)), strict=True)
        return keras.StatelessScope(state_mapping=mapping)


def _dtype(variable: keras.Variable) -> type[np.floating]:
    """float16 where it holds all of the values, and they are many."""
    if math.prod(variable.shape) >= _LARGE:
        values = variable.numpy()
        with np.errstate(over="ignore"):
            if (values.astype(np.float16) == values).all():
                return np.float16
    return np.float32
