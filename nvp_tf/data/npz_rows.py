"""Rows of an array in an .npz file, read as a stream: the files of ImageNet have gigabytes each."""

import zipfile
import zlib
from contextlib import contextmanager

import numpy as np

from nvp_tf.errors import UserError, reason

_CHUNK = 256  # Rows read at once.


def npz_shape(file):
    """The shape of the array `data`, from its header alone; raises UserError unless it is uint8 [n, m]."""
    with _opened(file) as (shape, _):
        return shape


def npz_rows(file, start):
    """Yields row `start` and those after it, uint8 [m] each; raises UserError for a damaged file."""
    with _opened(file) as (shape, stream):
        stream.seek(start * shape[1], 1)
        for first in range(start, shape[0], _CHUNK):
            count = min(_CHUNK, shape[0] - first)
            data = stream.read(count * shape[1])
            if len(data) < count * shape[1]:
                raise UserError(f"{file} ends in row {first + len(data) // shape[1]}, expected {shape[0]} rows")
            yield from np.frombuffer(data, np.uint8).reshape(count, -1)


@contextmanager
def _opened(file):
    """(shape, stream at the first value)."""
    try:
        with zipfile.ZipFile(file) as archive, archive.open("data.npy") as stream:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, column_major, dtype = read(stream)
            if len(shape) != 2 or dtype != np.uint8 or column_major:
                raise UserError(f"{file} has data of {dtype} {shape}, expected uint8 (n, values), row by row")
            yield shape, stream
    except UserError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{file} cannot be read: {reason(error)}") from None
