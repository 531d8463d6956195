"""Array files as Items: .npy and .npz. None is read into memory whole."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nvp_tf.data.npz_rows import Header, npz_headers, npz_rows
from nvp_tf.errors import UserError, reason
from nvp_tf.event import Event, describe
from nvp_tf.scoring.items import Item, item

_NAMED = 3  # arrays whose misfit is told where none fits


def npy(file: str | Path, event: Event) -> Iterator[Item]:
    """Yields the rows of an array [n, *event.shape], or the one value that it is."""
    array = _mapped(file)
    if array.shape == event.shape:
        yield item(event, str(file), np.asarray, array)
        return
    event.check(array.shape[1:], array.dtype)
    for number in range(len(array)):
        yield item(event, f"{file}:{number}", array.__getitem__, number)


def npy_size(file: str | Path, event: Event) -> int:
    array = _mapped(file)
    if array.shape == event.shape:
        return 1
    event.check(array.shape[1:], array.dtype)
    return len(array)


def npz(file: str | Path, event: Event) -> Iterator[Item]:
    """Yields the rows of each of its arrays that can be values; of several arrays the names have theirs.

    Arrays that have no such rows (labels, names, a number) stand beside them.
    """
    headers = npz_headers(file)
    fitting = [name for name, header in headers.items() if not _misfit(header, event)]
    if not fitting:
        names = sorted(headers, key=lambda name: len(headers[name].shape), reverse=True)
        why = "; ".join(f"array {name}'s rows: {_misfit(headers[name], event)}" for name in names[:_NAMED])
        raise UserError(why or f"has no arrays, expected rows of {describe(event.shape)}")
    for name in fitting:
        prefix = f"{file}:{name}" if len(fitting) > 1 else str(file)
        for number, row in enumerate(npz_rows(file, name)):
            yield item(event, f"{prefix}:{number}", np.asarray, row)


def npz_size(file: str | Path, event: Event) -> int:
    fitting = [header.shape[0] for header in npz_headers(file).values() if not _misfit(header, event)]
    return sum(fitting) if fitting else 1  # what is wrong


def _misfit(header: Header, event: Event) -> str:
    """Why an array's rows are no values; empty where they may be."""
    if not header.shape:
        return "has none"
    try:
        event.check(header.shape[1:], header.dtype)
    except UserError as error:
        return str(error)
    return ""


def _mapped(file: str | Path) -> np.ndarray:
    with open(file, "rb") as stream:
        if not stream.read(6).startswith(np.lib.format.MAGIC_PREFIX):
            raise UserError("cannot be read: it does not begin as a .npy file does")
    try:
        array = np.load(Path(file), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"cannot be read: {reason(error)}") from None
    if array.ndim == 0:
        raise UserError("is no array, expected rows of numbers")
    return array
