"""The most that TensorFlow gets out of this machine: one large matrix product, one large convolution."""

import time
from collections.abc import Callable

import tensorflow as tf

from nvp_tf.training import flop


def operation(kind: str, dtype: str) -> tuple[Callable[[], tf.Tensor], int]:
    """(a function of nothing that does it, how many floating-point operations it takes)."""
    shapes = {"matrix": ((2048, 2048), (2048, 2048)), "convolution": ((64, 32, 32, 64), (3, 3, 64, 64))}[kind]
    arguments = [tf.cast(tf.random.stateless_normal(shape, [0, 0]), dtype) for shape in shapes]
    graph = tf.function(_FUNCTIONS[kind], autograph=False).get_concrete_function(*arguments)
    return lambda: graph(*arguments), flop.count(graph.graph)[kind]


def measure(run: Callable[[], tf.Tensor], operations: int, seconds: float = 0.3) -> float:
    """FLOP/s of the fastest of some runs of an `operation`."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        run().numpy()
        times.append(time.perf_counter() - began)
    return operations / min(times)


def _convolution(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")


_FUNCTIONS = {"matrix": tf.matmul, "convolution": _convolution}
