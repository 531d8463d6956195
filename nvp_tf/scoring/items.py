"""What a model takes, and one thing that it shall score."""

from dataclasses import dataclass

import numpy as np

from nvp_tf.errors import UserError


@dataclass(frozen=True)
class Item:
    """A value by its name, or the reason why there is none.

    name: FILE, or FILE:INDEX.
    value: uint8 [height, width, channels] or float32 [dimensions]; None where there is an error.
    """

    name: str
    value: np.ndarray | None = None
    error: str = ""


@dataclass(frozen=True)
class Event:
    """The shape of one value: (height, width, channels) of an image, (dimensions,) of a vector."""

    shape: tuple[int, ...]

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    @property
    def name(self) -> str:
        """What the signatures call it."""
        return "images" if self.is_image else "x"

    @property
    def dtype(self):
        return np.dtype(np.uint8 if self.is_image else np.float32)

    def value(self, array) -> np.ndarray:
        """The array as the model takes it, unchanged in what it says.

        Raises:
          UserError: another shape, another kind of numbers, a pixel outside 0..255, a vector with nan or inf.
        """
        array = np.asarray(array)
        self.check(array.shape, array.dtype)
        if self.is_image:
            if array.dtype != np.uint8 and array.size and not 0 <= array.min() <= array.max() <= 255:
                raise UserError(f"has values {array.min()} to {array.max()}, expected 0 to 255")
            return array.astype(np.uint8).reshape(self.shape)
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise UserError("has values that are nan or infinite, expected finite ones")
        return array

    def check(self, shape, dtype):
        """Raises UserError for what no value of that shape and dtype can mend."""
        if tuple(shape) not in {self.shape, self.shape[:-1] if self.shape[-1:] == (1,) else self.shape}:
            raise UserError(f"has shape {describe(shape)}, expected {describe(self.shape)}")
        if np.dtype(dtype).kind not in ("iu" if self.is_image else "iuf"):
            raise UserError(f"has type {dtype}, expected {'integers 0 to 255' if self.is_image else 'numbers'}")

    def item(self, name, read) -> Item:
        """The Item that `read()` gives, or that says why it does not."""
        try:
            return Item(name, self.value(read()))
        except UserError as error:
            return Item(name, error=str(error))


def describe(shape) -> str:
    return "x".join(str(length) for length in shape) or "()"
