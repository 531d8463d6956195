"""One thing to score, or the reason why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

import numpy as np
from numpy.typing import ArrayLike

from nvp_tf.errors import UserError
from nvp_tf.event import Event


@dataclass(frozen=True)
class Item:
    """A value by its name, or the reason why there is none.

    name: FILE, or FILE:INDEX.
    value: uint8 [height, width, channels] or float32 or float64 [dimensions]; None where there is an error.
    """

    name: str
    value: np.ndarray | None = None
    error: str = ""


Arguments = ParamSpec("Arguments")


def item(
    event: Event,
    name: str,
    read: Callable[Arguments, ArrayLike],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Item:
    """The Item that `read(*arguments)` gives, or that says why it does not."""
    try:
        return Item(name, event.value(read(*arguments, **named)))
    except UserError as error:
        return Item(name, error=str(error))
