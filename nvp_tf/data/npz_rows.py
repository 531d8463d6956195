"""Rows of the arrays in an .npz file, read as a stream: some such files have gigabytes."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from nvp_tf.errors import UserError, reason

_CHUNK = 2**20  # bytes read at once


class Header(NamedTuple):
    """What an array is, before its values are read."""

    shape: tuple[int, ...]
    dtype: np.dtype


def npz_headers(file: str | Path) -> dict[str, Header]:
    """Name -> header of each array, whatever it holds; nothing but the headers is read.

    Raises:
      UserError: no .npz file, or a damaged one.
    """
    with _refusing(file), zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        found = {}
        for name in names:
            with archive.open(name) as stream:
                shape, _, dtype = _read_header(stream)
                found[name.removesuffix(".npy")] = Header(shape, dtype)
        return found


def npz_rows(file: str | Path, name: str, start: int = 0) -> Iterator[np.ndarray]:
    """Yields row `start` of an array and those after it.

    Row after row, as most arrays lie, they are a stream. In column-major (Fortran) order a row lies all over the file,
    and the array is read whole.

    Raises:
      UserError: a damaged file, or an array that has no rows of numbers.
    """
    with _refusing(file), zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as stream:
        shape, column_major, dtype = _read_header(stream)
        if not shape or dtype.hasobject:
            raise UserError(f"array {name} is {dtype} {shape}, expected rows of numbers")
        row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        if column_major and len(shape) > 1:
            data = stream.read(shape[0] * row_bytes)
            if len(data) < shape[0] * row_bytes:
                raise UserError(f"{file} ends within array {name}, expected {shape[0]} rows")
            yield from np.frombuffer(data, dtype).reshape(shape, order="F")[start:]
            return
        stream.seek(start * row_bytes, 1)
        step = max(1, _CHUNK // max(1, row_bytes))
        for first in range(start, shape[0], step):
            count = min(step, shape[0] - first)
            data = stream.read(count * row_bytes)
            if len(data) < count * row_bytes:
                raise UserError(f"{file} ends in row {first + len(data) // row_bytes}, expected {shape[0]} rows")
            yield from np.frombuffer(data, dtype).reshape(count, *shape[1:])


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """(shape, whether it is column-major, dtype); the stream then stands at the first value."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(stream)


@contextmanager
def _refusing(file: str | Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{file} cannot be read: {reason(error)}") from None
