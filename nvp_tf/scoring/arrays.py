"""Array files as Items: .npy and .npz. None is read into memory whole."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nvp_tf.data.npz_rows import npz_headers, npz_rows
from nvp_tf.errors import UserError, reason
from nvp_tf.event import Event
from nvp_tf.scoring.items import Item, item


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
    """Yields the rows of each of its arrays that can be values; of several arrays the names have theirs."""
    fitting, why = [], ""
    for name, (shape, dtype) in npz_headers(file).items():
        try:
            event.check(shape[1:], dtype)
            fitting.append(name)
        except UserError as error:
            why = why or f"array {name}'s rows: {error}"
    if not fitting:
        raise UserError(why or f"has no arrays, expected rows of {'x'.join(map(str, event.shape))}")
    for name in fitting:
        prefix = f"{file}:{name}" if len(fitting) > 1 else str(file)
        for number, row in enumerate(npz_rows(file, name)):
            yield item(event, f"{prefix}:{number}", np.asarray, row)


def npz_size(file: str | Path, event: Event) -> int:
    sizes = []
    for shape, dtype in npz_headers(file).values():
        try:
            event.check(shape[1:], dtype)
            sizes.append(shape[0])
        except UserError:
            pass
    return sum(sizes)


def _mapped(file: str | Path) -> np.ndarray:
    try:
        array = np.load(Path(file), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"cannot be read: {reason(error)}") from None
    if not isinstance(array, np.ndarray) or array.ndim == 0:
        raise UserError("is no array, expected rows of numbers")
    return array
