"""A picture file as pixels: one rule for training, scoring and whatever else reads pictures.

Whatever Pillow reads is read, of what moves the first frame, upright. docs/your_data.md tells the rule to people.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import numpy as np
from PIL import Image, ImageColor, ImageFile, ImageOps

from nvp_tf.errors import UserError, reason

MODES = {1: "L", 3: "RGB"}  # of channels; four of a picture could be too many things
_EXACT = {"L": ("L", "1"), "RGB": ("RGB", "P")}  # modes whose pixels are the same in that mode
_MOST_PIXELS = 2**27  # four bytes each, once decoded; a header is believed no further
_SIXTEEN_BITS = (0, 65535)


@dataclass(frozen=True)
class Fit:
    """How a picture of another depth becomes one of 8-bit grey or RGB.

    background: RGB of what is behind transparent pixels.
    deep_range: the values of 16-bit, 32-bit and float pictures that become 0 and 255. None: 0 and 65535, and pictures
      with others are refused.
    """

    background: tuple[int, ...] = (255, 255, 255)
    deep_range: tuple[float, float] | None = None

    @classmethod
    def of_words(cls, background: str = "white", deep_range: str = "") -> Self:
        """From a colour as CSS has them, and LOW,HIGH or nothing; raises UserError for others."""
        try:
            colour = ImageColor.getrgb(background)[:3]
        except ValueError:
            raise UserError(f"background is {background!r}, expected a colour such as white or #808080") from None
        if not deep_range:
            return cls(colour)
        try:
            low, high = map(float, deep_range.split(","))
        except ValueError:
            low = high = 0.0
        if not -np.inf < low < high < np.inf:
            raise UserError(f"deep_range is {deep_range!r}, expected LOW,HIGH such as 0,4095")
        return cls(colour, (low, high))


def read_picture(file: str | Path | IO[bytes], channels: int, fit: Fit) -> Image.Image:
    """A picture, upright, in mode RGB for 3 channels and L for 1.

    Raises:
      UserError: not a picture, not all of it, or one that is too large.
    """
    with opened(file) as picture:
        return converted(picture, channels, fit)


@contextlib.contextmanager
def opened(file: str | Path | IO[bytes]) -> Iterator[ImageFile.ImageFile]:
    """A picture of which the header is read and nothing decoded.

    Raises:
      UserError: not a picture, one that is too large, or damage that is found while it is open.
    """
    try:
        with Image.open(file) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise UserError(f"has {picture.width}x{picture.height} pixels, expected at most {_MOST_PIXELS} in all")
            yield picture
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders tell of damage by a dozen types.
        raise UserError(f"cannot be read: {reason(error)}") from None


def converted(source: ImageFile.ImageFile, channels: int, fit: Fit | None) -> Image.Image:
    """An opened picture, decoded, upright, in mode RGB for 3 channels and L for 1.

    Args:
      fit: how a picture of another depth becomes one; None: it is refused.

    Raises:
      UserError: a picture that is refused, or has values out of range.
    """
    mode = MODES[channels]
    if fit is None:
        _check_exact(source, mode)
    elif source.mode[0] not in "IF" and _has_sixteen_bits(source):
        _check_upper_bits(source, fit)
    picture: Image.Image = ImageOps.exif_transpose(source)
    if fit and picture.mode[0] in "IF":
        own_range = source.format == "PPM" and picture.mode == "I"  # a PGM file has it, and Pillow has gone by it
        picture = _eight_bits(picture, _SIXTEEN_BITS if own_range else fit.deep_range)
    if fit and picture.has_transparency_data:
        behind = Image.new("RGBA", picture.size, (*fit.background, 255))
        behind.alpha_composite(picture.convert("RGBA"))
        picture = behind.convert("RGB")
    return picture if picture.mode == mode else picture.convert(mode)


def to_levels(array: np.ndarray, levels: int) -> np.ndarray:
    """uint8 round(v (levels - 1) / 255) of v from 0 to 255: the levels that are drawn as v."""
    return array if levels == 256 else np.rint(array * ((levels - 1) / 255)).astype(np.uint8)


def scaled(image: Image.Image, side: int) -> Image.Image:
    """A picture with its smaller side brought to `side` pixels, by bilinear interpolation with antialiasing."""
    smaller = min(image.size)
    width, height = (max(side, round(length * side / smaller)) for length in image.size)
    return image if smaller == side else image.resize((width, height), Image.Resampling.BILINEAR)


def centre(image: Image.Image, side: int) -> Image.Image:
    """The central square of a picture."""
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side))


def pixels(image: Image.Image) -> np.ndarray:
    """uint8 [height, width, channels] of a picture in mode RGB or L."""
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def _check_exact(picture: ImageFile.ImageFile, mode: str) -> None:
    """Raises UserError for a picture whose pixels are other ones in `mode`."""
    if picture.has_transparency_data:
        raise UserError(f"has transparency, in mode {picture.mode}, expected {mode} (--fit lays it over --background)")
    if picture.mode not in _EXACT[mode]:
        raise UserError(f"has mode {picture.mode}, expected {mode} (--fit converts it)")
    if _has_sixteen_bits(picture):
        raise UserError("has 16 bits a channel, expected 8 (--fit converts it)")


def _has_sixteen_bits(picture: ImageFile.ImageFile) -> bool:
    """Whether the file has; of colours Pillow then reads the upper 8."""
    return bool(picture.tile) and ";16" in str(picture.tile[0].args)


def _check_upper_bits(picture: Image.Image, fit: Fit) -> None:
    """Raises UserError for what cannot be known of a picture of 16 bits of which Pillow reads the upper 8."""
    if fit.deep_range not in (None, _SIXTEEN_BITS):
        raise UserError(
            "has 16 bits a channel and several channels, of which the upper 8 are read: expected no deep_range"
        )
    if _has_key(picture):
        raise UserError("has a transparent colour of 16 bits a channel, expected 8")


def _has_key(picture: Image.Image) -> bool:
    """Whether one colour stands for transparent pixels."""
    return "transparency" in picture.info


def _eight_bits(picture: Image.Image, deep_range: tuple[float, float] | None) -> Image.Image:
    """Grey of 8 bits, floor(256 (v - low) / (high - low + 1)) of integers v, of floats without the 1.

    With alpha where a value stands for transparent pixels.
    """
    values = np.asarray(picture)
    low, high = deep_range or _SIXTEEN_BITS
    if values.dtype.kind == "f":
        if deep_range is None:
            raise UserError("has pixels that are floats, expected a deep_range: those that become black and white")
        if np.isnan(values).any():
            raise UserError("has pixels that are nan, expected numbers")
    elif deep_range is None and not low <= values.min() <= values.max() <= high:
        raise UserError(f"has pixels from {values.min()} to {values.max()}, expected 0 to 65535 or another deep_range")
    bins = high - low + (values.dtype.kind != "f")
    grey = np.clip(np.floor((values.astype(np.float64) - low) * 256 / bins), 0, 255).astype(np.uint8)
    if not _has_key(picture):
        return Image.fromarray(grey)
    opaque = (values != picture.info["transparency"]) * np.uint8(255)
    return Image.merge("LA", (Image.fromarray(grey), Image.fromarray(opaque)))
