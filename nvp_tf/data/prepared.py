"""Reading what `preparing` keeps: images of any size by number, and windows of them as a Split.

Files are read at offsets, not mapped into memory: the pages read do not count as the process' own, and a
file cut short under it is an error, not a signal that ends the process.
"""

import json
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from nvp_tf.data.random_integers import random_integers
from nvp_tf.data.split import Split
from nvp_tf.errors import UserError

PIXELS, INDEX, ITEMS, MANIFEST = "pixels", "index.npy", "items.jsonl", "manifest.json"
_ROW, _COLUMN = 3, 4  # Streams of random_integers.


class Prepared:
    """Prepared images on disk.

    size: how many there are.
    channels: of each.
    """

    def __init__(self, folder: Path) -> None:
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
            self._places = np.load(folder / INDEX)
            self._file = os.open(folder / PIXELS, os.O_RDONLY)
            weakref.finalize(self, os.close, self._file)
            found = os.fstat(self._file).st_size
            self.size, self.channels = manifest["images"], manifest["channels"]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{folder} is damaged ({error}): delete it, and it is prepared anew") from None
        expected = int(self._places[:, 1:].prod(axis=1).sum()) * self.channels
        if len(self._places) != self.size or found != expected:
            raise UserError(
                f"{folder} is damaged: {PIXELS} has {found} bytes, expected {expected}: "
                "delete it, and it is prepared anew"
            )
        self._folder = folder

    def names(self) -> list[str]:
        """The source's name of each image, in order."""
        return [line[0] for line in self._items() if len(line) == 3]

    def skipped(self) -> list[tuple[str, str]]:
        """(name, reason) of the source's items of which there is no image."""
        return [(line[0], line[1]) for line in self._items() if len(line) == 2]

    def shapes(self) -> np.ndarray:
        """int64 [size, 2]: height and width of each image."""
        return self._places[:, 1:]

    def one_size(self) -> tuple[int, int]:
        """(height, width) of every image; raises UserError where they differ."""
        sizes: list[list[int]] = np.unique(self.shapes(), axis=0).tolist()
        if len(sizes) > 1:
            raise UserError(f"{self._folder} has images of {sizes[0]} and {sizes[1]}, expected one size")
        height, width = sizes[0]
        return height, width

    def _items(self) -> Iterator[list]:
        with open(self._folder / ITEMS) as lines:
            yield from map(json.loads, lines)

    def windows(self, rows: np.ndarray, draws: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """uint8 [n, *size, channels] of images `rows`, at places that follow from `draws` [n, 2].

        Of an image of that size, the image itself; no image is smaller.
        """
        windows = np.empty((len(rows), *size, self.channels), np.uint8)
        rows_read, columns = size
        for window, (start, height, width), (row, column) in zip(windows, self._places[rows], draws, strict=True):
            row, column = row % (height - rows_read + 1), column % (width - columns + 1)
            line = width * self.channels
            lines = os.pread(self._file, rows_read * line, start + row * line)
            if len(lines) < rows_read * line:
                raise UserError(f"{self._folder} is damaged: {PIXELS} has become shorter")
            window[:] = np.frombuffer(lines, np.uint8).reshape(rows_read, width, -1)[:, column : column + columns]
        return windows


class PreparedSplit(Split):
    """Windows of prepared images, each at a place drawn from the example's seed.

    window: (height, width) in pixels; images of that size are read whole.
    rows: int64 [n], which of the images; None for all.
    crops: examples an image; those numbered i, i + n, i + 2 n, ... are of one image.
    """

    def __init__(
        self, images: Prepared, window: tuple[int, int], rows: np.ndarray | None = None, crops: int = 1
    ) -> None:
        self._images, self._window = images, window
        self._rows = np.arange(images.size) if rows is None else np.asarray(rows, np.int64)
        self.size = len(self._rows) * crops

    def read(self, index: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        draws = tf.stack([random_integers(seed, stream, 2**31) for stream in (_ROW, _COLUMN)], axis=1)
        windows = tf.numpy_function(self._read, [index, draws], tf.uint8, stateful=False)
        return tf.ensure_shape(windows, [*index.shape, *self._window, self._images.channels])

    def _read(self, index: np.ndarray, draws: np.ndarray) -> np.ndarray:
        return self._images.windows(self._rows[index % len(self._rows)], draws, self._window)
