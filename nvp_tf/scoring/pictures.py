"""A picture file as a value."""

import io
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from nvp_tf.errors import UserError
from nvp_tf.event import Event, describe
from nvp_tf.pictures.decoding import MODES, Fit, centre, converted, opened, pixels, scaled, to_levels


def read(file: str | Path | IO[bytes], event: Event, fit: Fit | None) -> np.ndarray:
    """uint8 [height, width, channels].

    Args:
      event: of images.
      fit: bring any picture to the event's size, depth and levels: upright, the smaller side scaled, the central part.
        None: the picture must have them, so that the pixels scored are those in the file.

    Raises:
      UserError: not a picture, damaged, too large, or of another size, depth or levels.
    """
    if not event.is_image:
        raise UserError(f"is a picture, expected vectors of {event.shape[0]} numbers")
    height, width, channels = event.shape
    if channels not in MODES:
        raise UserError(f"is a picture, of 1 or 3 channels, expected {describe(event.shape)}")
    with opened(file) as picture:
        if not fit and picture.size != (width, height):
            raise UserError(
                f"has {picture.width}x{picture.height} pixels, expected {width}x{height} (--fit brings it to that)"
            )
        image = converted(picture, channels, fit)
    if fit:
        return to_levels(_fitted(image, height, width), event.top + 1)
    array = np.array(pixels(image))
    if event.top < 255 and array.max() > event.top:
        raise UserError(f"has values up to {array.max()}, expected 0 to {event.top} (--fit brings it to that)")
    return array


def fit_of_flags(fit: bool, background: str | None, deep_range: str | None) -> Fit | None:
    """What --fit, --background and --deep_range ask for; raises UserError for the others without the first."""
    if fit:
        return Fit.of_words(background or "white", deep_range or "")
    for name, value in {"background": background, "deep_range": deep_range}.items():
        if value:
            raise UserError(f"{name} is {value!r}, expected none without --fit")
    return None


def is_picture(data: bytes) -> bool:
    """Whether bytes begin as a picture file does, of the formats that a few bytes at the beginning make sure."""
    try:
        with Image.open(io.BytesIO(data), formats=("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")):
            return True
    except Exception:  # Pillow's decoders tell by a dozen types
        return False


def _fitted(picture: Image.Image, height: int, width: int) -> np.ndarray:
    if height == width:
        return pixels(centre(scaled(picture, height), height))
    factor = max(height / picture.height, width / picture.width)
    size = max(width, round(factor * picture.width)), max(height, round(factor * picture.height))
    picture = picture.resize(size, Image.Resampling.BILINEAR)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return pixels(picture.crop((left, top, left + width, top + height)))
