"""Values computed twice instead of kept: memory that hardly grows with depth, for a third more time at most."""

import contextlib
import contextvars
import itertools
from collections.abc import Callable, Iterator
from typing import TypeVar

import tensorflow as tf

Tensors = TypeVar("Tensors")  # a tensor, or several

_again = contextvars.ContextVar("again", default=False)  # each replica has a thread of its own, and so its own value


def recomputed(function: Callable[[tf.Tensor], Tensors], x: tf.Tensor) -> Tensors:
    """function(x), of which x alone is kept for the gradient; the backward pass calls `function` once more.

    The gradient is the plain one. What `function` moves besides (running statistics) it must move only
    where `computed_again()` is false.

    Args:
      function: from a tensor to tensors. It may use variables.
    """
    times = itertools.count()

    # Its second call waits for the gradient of the first result: a graph would else run it, and keep it, at once.
    @tf.recompute_grad
    def once_more(x: tf.Tensor) -> Tensors:
        first = next(times) == 0
        with _computing(again=computed_again() or not first):
            return function(x)

    return once_more(x)


def computed_again() -> bool:
    """Whether what is being computed has been computed before, for the same step."""
    return _again.get()


@contextlib.contextmanager
def _computing(again: bool) -> Iterator[None]:
    token = _again.set(again)
    try:
        yield
    finally:
        _again.reset(token)
