"""Picture files: finding them, decoding them, bringing them to size."""

import os
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
from PIL import Image, ImageOps

from nvp_tf.errors import UserError, reason

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")


def list_pictures(folder: str | Path) -> list[str]:
    """The picture files below a folder, relative to it, sorted; hidden files and folders are passed over.

    Raises:
      UserError: a folder that is missing or cannot be read.
    """
    found = []
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = os.path.relpath(parent, folder)
        found += [
            os.path.normpath(os.path.join(below, name))
            for name in files
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return sorted(found)


def read_picture(file: str | Path | IO[bytes], channels: int) -> Image.Image:
    """A picture, upright, in mode RGB for 3 channels and L for 1.

    Raises:
      UserError: not a picture, or not all of it.
    """
    try:
        with Image.open(file) as opened:
            image: Image.Image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I;16"):
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            if image.mode in ("I", "F"):
                raise UserError(f"has pixels of mode {image.mode}, expected 8 or 16 bits")
            return image.convert("RGB" if channels == 3 else "L")
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders tell of damage by a dozen types.
        raise UserError(f"cannot be read: {reason(error)}") from None


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


def _refuse(error: OSError) -> NoReturn:
    raise UserError(f"{error.filename} cannot be read: {error.strerror}, expected a folder of pictures")
