"""Random integers, one a seed: the vectorized form of a stateless draw.

`tf.random.stateless_uniform` takes one seed a call. Here each row of a batch has its own, so that
what happens to an example does not depend on which others share its batch.
"""

import tensorflow as tf

# The generator and its constants are splitmix64 (Steele, Lea and Flood, 2014); uint64 wraps, as it must.
_GOLDEN = 0x9E3779B97F4A7C15
_SCRAMBLES = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def random_integers(seed: tf.Tensor, stream: int | range, bound: int) -> tf.Tensor:
    """Integers in [0, bound), uniform to within bound / 2**31.

    Args:
      seed: int64 [n, 2], one pair an integer.
      stream: draws of different streams from the same seed are independent; of several, each gives a column.
      bound: at most 2**31.

    Returns:
      int64 [n], or [n, streams].
    """
    words = tf.bitcast(seed, tf.uint64)
    bits = tf.constant(list(stream) if isinstance(stream, range) else stream, tf.uint64)
    for word in (words[:, :1], words[:, 1:]) if isinstance(stream, range) else (words[:, 0], words[:, 1]):
        bits = _mix(_mix(bits) ^ word)
    return tf.cast(_right(bits, 33), tf.int64) % bound


def _mix(bits: tf.Tensor) -> tf.Tensor:
    """A bijection of uint64 in which each input bit changes about half of the output bits."""
    bits += tf.constant(_GOLDEN, tf.uint64)
    for shift, factor in _SCRAMBLES:
        bits = (bits ^ _right(bits, shift)) * tf.constant(factor, tf.uint64)
    return bits ^ _right(bits, 31)


def _right(bits: tf.Tensor, places: int) -> tf.Tensor:
    return tf.bitwise.right_shift(bits, tf.constant(places, tf.uint64))
