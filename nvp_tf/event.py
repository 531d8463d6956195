"""What one example is, to a data set, a model, an export and whoever asks it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nvp_tf.errors import UserError

if TYPE_CHECKING:  # configs have events, and `--help` does not wait for NumPy
    import numpy as np
    from numpy.typing import ArrayLike, DTypeLike

CHANNELS_LAST = " (channels last: x.transpose(0, 2, 3, 1))"


@dataclass(frozen=True)
class Event:
    """The shape of one example and the values it has: an image of integers, or a vector of reals.

    shape: (height, width, channels) of an image, (dimensions,) of a vector.
    levels: pixel values are the integers 0 to levels - 1, as uint8; None for reals.
    reals: what vectors are handed over as, "float32" or "float64"; whoever takes the other casts.
    columns: what the entries of a vector are called, where they come from a table with names.
    """

    shape: tuple[int, ...]
    levels: int | None = None
    reals: str = field(default="float32", compare=False, kw_only=True)
    columns: tuple[str, ...] = field(default=(), compare=False, kw_only=True)

    @classmethod
    def of_signature(
        cls,
        shape: Sequence[int],
        dtype: str = "float32",
        levels: int | None = None,
        columns: Sequence[str] = (),
    ) -> Event:
        """Of what an export's signature takes; of levels and columns export.json tells (`scoring/contract.py`)."""
        reals = dtype if dtype == "float64" else "float32"
        return cls(tuple(shape), levels or 256 if len(shape) == 3 else None, reals=reals, columns=tuple(columns))

    @property
    def is_image(self) -> bool:
        return self.levels is not None

    @property
    def top(self) -> int:
        """The largest pixel value, levels - 1; raises ValueError for reals, which have none."""
        if self.levels is None:
            raise ValueError(f"{self} is of reals, expected an image")
        return self.levels - 1

    @property
    def name(self) -> str:
        """What the signatures of an export call it."""
        return "images" if self.is_image else "x"

    @property
    def dtype(self) -> np.dtype:
        import numpy as np

        return np.dtype(np.uint8 if self.is_image else self.reals)

    @property
    def dimensions(self) -> int:
        """D, the number of values in one example."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{describe(self.shape)}{f' of {self.levels} levels' if self.is_image else ''}"

    def value(self, array: ArrayLike) -> np.ndarray:
        """The array as an export takes it, unchanged in what it says.

        Raises:
          UserError: another shape, another kind of numbers, a pixel outside 0..255, a vector with nan or inf.
        """
        import numpy as np

        array = np.asarray(array)
        self.check(array.shape, array.dtype)
        if self.is_image:
            if array.dtype != np.uint8 and array.size and not 0 <= array.min() <= array.max() <= 255:
                raise UserError(f"has values {array.min()} to {array.max()}, expected 0 to 255")
            return array.astype(np.uint8).reshape(self.shape)
        with np.errstate(over="ignore"):
            array = array.astype(self.dtype)
        if not np.isfinite(array).all():
            raise UserError("has values that are nan or infinite, expected finite ones")
        return array

    def check(self, shape: Sequence[int], dtype: DTypeLike) -> None:
        """Raises UserError for what no value of that shape and dtype can mend."""
        import numpy as np

        if tuple(shape) not in {self.shape, self.shape[:-1] if self.shape[-1:] == (1,) else self.shape}:
            raise UserError(f"has shape {describe(shape)}, expected {describe(self.shape)}{self.hint(shape)}")
        if np.dtype(dtype).kind not in ("iu" if self.is_image else "iuf"):
            raise UserError(f"has type {dtype}, expected {'integers 0 to 255' if self.is_image else 'numbers'}")

    def hint(self, shape: Sequence[int]) -> str:
        """The transpose that arrays of such examples need, if their channels come first; otherwise nothing."""
        return CHANNELS_LAST if self.is_image and (*shape[1:], *shape[:1]) == self.shape else ""


def describe(shape: Iterable[int]) -> str:
    """A shape in words: 28x28x1."""
    return "x".join(str(length) for length in shape) or "()"
