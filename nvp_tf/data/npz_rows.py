"""Rows of the arrays in an .npz file, read as a stream: some such files have gigabytes."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from nvp_tf.errors import UserError, reason

_CHUNK = 2**20  # bytes read at once


def npz_headers(file: str | Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Name -> (shape, dtype) of each array, of which nothing but the header is read.

    Raises:
      UserError: no .npz file, or a damaged one.
    """
    with _refusing(file), zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        return {name.removesuffix(".npy"): _opened(archive, name)[:2] for name in names}


def npz_rows(file: str | Path, name: str, start: int = 0) -> Iterator[np.ndarray]:
    """Yields row `start` of an array and those after it; raises UserError for a damaged file."""
    with _refusing(file), zipfile.ZipFile(file) as archive:
        shape, dtype, stream = _opened(archive, f"{name}.npy")
        row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        with stream:
            stream.seek(start * row_bytes, 1)
            step = max(1, _CHUNK // max(1, row_bytes))
            for first in range(start, shape[0], step):
                count = min(step, shape[0] - first)
                data = stream.read(count * row_bytes)
                if len(data) < count * row_bytes:
                    raise UserError(f"{file} ends in row {first + len(data) // row_bytes}, expected {shape[0]} rows")
                yield from np.frombuffer(data, dtype).reshape(count, *shape[1:])


def _opened(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype, IO[bytes]]:
    """(shape, dtype, stream at the first value)."""
    stream = archive.open(name)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, column_major, dtype = read(stream)
    if not shape or (column_major and len(shape) > 1) or dtype.hasobject:
        raise UserError(f"array {name.removesuffix('.npy')} is {dtype} {shape}, expected rows of numbers, row by row")
    return shape, dtype, stream


@contextmanager
def _refusing(file: str | Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{file} cannot be read: {reason(error)}") from None
