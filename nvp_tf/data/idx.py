"""IDX, the format of MNIST's files, plain or gzip: images only."""

import gzip
import math
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nvp_tf.errors import UserError

_HEADER = struct.Struct(">4I")  # Magic, images, rows, columns.
_MAGIC = 0x00000803  # Unsigned bytes, three dimensions.


def read_images(path: Path) -> np.ndarray:
    """The images of a file.

    Args:
      path: its name ends in .gz when the file is compressed.

    Returns:
      uint8 [n, rows, columns, 1].

    Raises:
      UserError: the file is not such a file, or not all of it.
    """
    data = _contents(path)
    if len(data) < _HEADER.size:
        raise UserError(f"{path} has {len(data)} bytes, expected an IDX header of {_HEADER.size}")
    magic, *shape = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise UserError(f"{path} begins with {magic:#010x}, expected {_MAGIC:#010x} (IDX of bytes, 3 dimensions)")
    if 0 in shape:
        raise UserError(f"{path} has dimensions {_times(shape)}, expected none to be 0")
    found, expected = len(data) - _HEADER.size, math.prod(shape)
    if found != expected:
        raise UserError(f"{path} has {found} bytes after its header, expected {_times(shape)} = {expected}")
    return np.frombuffer(data, np.uint8, offset=_HEADER.size).reshape(*shape, 1)


def _contents(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        # gzip tells of damage by any of the three.
        raise UserError(f"{path} cannot be read: {error or type(error).__name__}, expected an IDX file") from None


def _times(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))
