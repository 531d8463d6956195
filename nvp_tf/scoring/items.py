"""One thing to score, or the reason why there is none."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.event import Event


@dataclass(frozen=True)
class Item:
    """A value by its name, or the reason why there is none.

    name: FILE, or FILE:INDEX.
    value: uint8 [height, width, channels] or float32 [dimensions]; None where there is an error.
    """

    name: str
    value: np.ndarray | None = None
    error: str = ""


def item(event: Event, name: str, read: Callable[[], np.ndarray]) -> Item:
    """The Item that `read()` gives, or that says why it does not."""
    try:
        return Item(name, event.value(read()))
    except UserError as error:
        return Item(name, error=str(error))
