"""What measuring on few examples leaves unknown: the same measure on two halves of them."""

import math
from collections.abc import Callable

from nvp_tf.flatness.batches import Part
from nvp_tf.flatness.curvature import Curvature


def halves(curvature: Curvature) -> tuple[Curvature, Curvature] | None:
    """The same loss on every second example of each batch, and on the others; None of a single example."""
    if curvature.examples < 2:
        return None
    even, odd = (curvature.on(Part(curvature.batches, first)) for first in (0, 1))
    return even, odd


def half_error(measure: Callable[[Curvature], float], curvature: Curvature) -> float:
    """|m1 - m2| / 2 of a measure on the two halves; NaN of a single example.

    For a mean over the examples, such as a trace, it is one draw of the standard error of the mean over all. For
    others, such as the largest eigenvalue, it says how many digits the sample has.
    """
    parts = halves(curvature)
    if parts is None:
        return math.nan
    first, second = map(measure, parts)
    return abs(first - second) / 2
