"""What is done to each of hundreds of variables, as a few calls of a function that is traced once.

A graph of a step that is written variable by variable has thousands of operations for it, each of which Python makes
and TensorFlow's passes over the graph look at.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from nvp_tf.layers.keras_private import adam_moments, handle
from nvp_tf.runtime import kept_whole

_AT_ONCE = 32

Function: TypeAlias = tf.types.experimental.PolymorphicFunction


def squares(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """The sum of the squares of all entries of float32 tensors."""
    return tf.add_n([_squares[len(some)](some) for (some,) in _parts(tensors)])


def multiply_no_nan(tensors: Sequence[tf.Tensor], factor: tf.Tensor, compiled: bool) -> list[tf.Tensor]:
    """Each times a scalar; where that is 0, 0 whatever the tensor has.

    Where it is 1, which it mostly is, the tensors themselves: a pass less over them. Not where XLA has compiled the
    step: there it costs none.
    """
    each = _multiply_no_nan if compiled else _unless_one
    return [product for (some,) in _parts(tensors) for product in each[len(some)](some, factor)]


def adam(
    optimizer: keras.optimizers.Adam,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[keras.Variable],
    rate: tf.Tensor,
) -> None:
    """A step of Adam by TensorFlow's kernel, which reads and writes each variable once.

    Args:
      optimizer: has the moments, beta_1, beta_2, epsilon, and in `iterations` how many steps were before.
      gradients: of the variables. rate: the learning rate.
    """
    moments = [adam_moments(optimizer, variable) for variable in variables]
    firsts, seconds = ([handle(pair[which]) for pair in moments] for which in (0, 1))
    step = tf.cast(optimizer.iterations + 1, tf.float32)
    betas = [tf.constant(beta) for beta in (optimizer.beta_1, optimizer.beta_2)]
    numbers = [*(beta**step for beta in betas), rate, *betas, tf.constant(optimizer.epsilon)]
    for part in _parts([handle(variable) for variable in variables], firsts, seconds, gradients):
        _adam[len(part[0])](*part, *numbers)


def approach(means: Sequence[keras.Variable], values: Sequence[keras.Variable], share: tf.Tensor) -> None:
    """mean -= share (mean - value), of each."""
    for part in _parts([handle(mean) for mean in means], [handle(value) for value in values]):
        _approach[len(part[0])](*part, share)


class _Functions(dict):
    """By how many variables they are of; made by a function of that number."""

    def __init__(self, make: Callable[[int], Function]) -> None:
        super().__init__()
        self.make = make

    def __missing__(self, count: int) -> Function:
        self[count] = made = self.make(count)
        return made


def _parts(*lists: Sequence[tf.Tensor]) -> list[list[Sequence[tf.Tensor]]]:
    starts = range(0, len(lists[0]), _AT_ONCE)
    return [[values[start : start + _AT_ONCE] for values in lists] for start in starts]


def _handles(count: int) -> list[tf.TensorSpec]:
    return [tf.TensorSpec([], tf.resource)] * count


def _any_shape(count: int) -> list[tf.TensorSpec]:
    return [tf.TensorSpec(None)] * count


@_Functions
def _squares(count: int) -> Function:
    def of_all(tensors: list[tf.Tensor]) -> tf.Tensor:
        return 2 * tf.add_n([tf.nn.l2_loss(tensor) for tensor in tensors])

    return kept_whole(of_all, _any_shape(count))


@_Functions
def _multiply_no_nan(count: int) -> Function:
    return kept_whole(_products, _any_shape(count), tf.TensorSpec([]))


@_Functions
def _unless_one(count: int) -> Function:
    def each(tensors: list[tf.Tensor], factor: tf.Tensor) -> list[tf.Tensor]:
        return tf.cond(factor == 1.0, lambda: tensors, lambda: _products(tensors, factor))

    return kept_whole(each, _any_shape(count), tf.TensorSpec([]))


def _products(tensors: list[tf.Tensor], factor: tf.Tensor) -> list[tf.Tensor]:
    return [tf.math.multiply_no_nan(tensor, factor) for tensor in tensors]


@_Functions
def _adam(count: int) -> Function:
    def step(
        variables: list[tf.Tensor],
        firsts: list[tf.Tensor],
        seconds: list[tf.Tensor],
        gradients: list[tf.Tensor],
        *numbers: tf.Tensor,
    ) -> None:
        power_1, power_2, rate, beta_1, beta_2, epsilon = numbers
        for variable, first, second, gradient in zip(variables, firsts, seconds, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable,
                m=first,
                v=second,
                beta1_power=power_1,
                beta2_power=power_2,
                lr=rate,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=epsilon,
                grad=gradient,
            )

    return kept_whole(step, *[_handles(count)] * 3, _any_shape(count), *[tf.TensorSpec([])] * 6)


@_Functions
def _approach(count: int) -> Function:
    def move(means: list[tf.Tensor], values: list[tf.Tensor], share: tf.Tensor) -> None:
        for mean, value in zip(means, values, strict=True):
            apart = tf.raw_ops.ReadVariableOp(resource=mean, dtype=tf.float32) - tf.raw_ops.ReadVariableOp(
                resource=value, dtype=tf.float32
            )
            tf.raw_ops.ResourceApplyGradientDescent(var=mean, alpha=share, delta=apart)

    return kept_whole(move, _handles(count), _handles(count), tf.TensorSpec([]))
