"""A picture file as a value."""

import io
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from nvp_tf.errors import UserError, reason
from nvp_tf.event import Event, describe
from nvp_tf.pictures.files import centre, pixels, read_picture, scaled

_MODES = {1: "L", 3: "RGB"}  # of channels
_MOST_PIXELS = 2**26  # 8192 x 8192; decoded, four times as many bytes. A header is believed no further.


def read(file: str | Path | IO[bytes], event: Event, fit: bool) -> np.ndarray:
    """uint8 [height, width, channels].

    Args:
      event: of images.
      fit: bring any picture to the event's size and depth: upright, the smaller side scaled, the central part.
        Otherwise the picture must have them, so that the pixels scored are those in the file.

    Raises:
      UserError: not a picture, damaged, too large, or of another size or depth.
    """
    if not event.is_image:
        raise UserError(f"is a picture, expected vectors of {event.shape[0]} numbers")
    height, width, channels = event.shape
    mode = _MODES.get(channels)
    if mode is None:
        raise UserError(f"is a picture, of 1 or 3 channels, expected {describe(event.shape)}")
    try:
        with Image.open(file) as header:
            size, found = header.size, header.mode
    except Exception as error:  # Pillow's decoders tell of damage by a dozen types.
        raise UserError(f"cannot be read: {reason(error)}") from None
    if size[0] * size[1] > _MOST_PIXELS:
        raise UserError(f"has {size[0]}x{size[1]} pixels, expected at most {_MOST_PIXELS} in all")
    if fit:
        return _fitted(read_picture(file, channels), height, width)
    if size != (width, height):
        raise UserError(f"has {size[0]}x{size[1]} pixels, expected {width}x{height} (--fit brings it to that)")
    if found != mode and not (found == "P" and mode == "RGB") and not (found == "1" and mode == "L"):
        raise UserError(f"has mode {found}, expected {mode} (--fit converts it)")
    return np.array(pixels(read_picture(file, channels)))


def is_picture(data: bytes) -> bool:
    """Whether bytes begin as a picture file does, of the formats that a few bytes at the beginning make sure."""
    try:
        with Image.open(io.BytesIO(data), formats=("BMP", "JPEG", "PNG", "WEBP")):
            return True
    except Exception:
        return False


def _fitted(picture: Image.Image, height: int, width: int) -> np.ndarray:
    if height == width:
        return pixels(centre(scaled(picture, height), height))
    factor = max(height / picture.height, width / picture.width)
    size = max(width, round(factor * picture.width)), max(height, round(factor * picture.height))
    picture = picture.resize(size, Image.Resampling.BILINEAR)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return pixels(picture.crop((left, top, left + width, top + height)))
