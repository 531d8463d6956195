"""Examples in parts, each of which is answered for itself, beside the others.

Of convolutions on a CPU that is quicker than one operation on several cores after the other: nothing is handed out, and
no core waits for another.
"""

import itertools
from collections.abc import Callable

import tensorflow as tf


def in_parts(answer: Callable[..., tf.Tensor], parts: int, x: tf.Tensor, *given: tf.Tensor) -> tf.Tensor:
    """answer(x, *given), whose rows depend on no other row, of as many parts as is said.

    Args:
      given: with a row for each of x, or one that broadcasts, or of a lower rank for all of them, as a noise pattern.
    """
    if parts == 1:
        return answer(x, *given)
    n = x.shape[0] or tf.shape(x)[0]
    edges = [n * i // parts for i in range(parts + 1)]
    by_row = [other.shape.rank == x.shape.rank for other in given]
    others = [tf.broadcast_to(o, tf.shape(x)) if each else o for o, each in zip(given, by_row, strict=True)]
    answers = []
    for start, stop in itertools.pairwise(edges):
        mine = [o[start:stop] if each else o for o, each in zip(others, by_row, strict=True)]
        answers.append(answer(x[start:stop], *mine))
    return tf.concat(answers, axis=0)
