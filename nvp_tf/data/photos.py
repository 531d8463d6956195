"""Crops of two photographs: colour images without a download."""

import numpy as np
import tensorflow as tf

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.random_integers import random_integers
from nvp_tf.data.split import ArraySplit, DataSet, Split
from nvp_tf.event import Event

_CROP = 2  # Stream of random_integers.
_SIDE = 32  # Pixels.
_SIZES = {"train": 10000, "valid": 500, "test": 2000}  # Training crops never end; their number is nominal.

# Columns [start, end) of a photograph 640 wide: 70 % to train on. One cut would hold out, say, only
# sky; strips in between see what training sees. Their places are those, of many tried, where brightness,
# contrast and gradients of the crops differ least: by at most 31 % on either photograph, not threefold.
_STRIPS = {
    "train": ((0, 84), (124, 200), (236, 316), (356, 436), (472, 528), (568, 640)),
    "test": ((84, 124), (316, 356), (528, 568)),
    "valid": ((200, 236), (436, 472)),
}


def photos(config: DataConfig) -> DataSet:
    """32x32 crops of scikit-learn's two sample photographs; no pixel is in two splits."""
    del config
    photographs = _photographs()
    corners = {part: _corners(photographs.shape, strips) for part, strips in _STRIPS.items()}
    pixels, width = photographs.reshape(-1, 3), photographs.shape[2]

    def held_out(part: str, seed: int) -> ArraySplit:
        # Without replacement: each crop's corner is another.
        rng = np.random.RandomState(seed)
        half = _SIZES[part] // 2
        chosen = [rng.choice(each, half, replace=False) for each in corners[part]]
        return ArraySplit(_crop(pixels, np.stack(chosen, axis=1).ravel(), width))

    return DataSet(
        name="photos",
        event=Event((_SIDE, _SIDE, 3), 256),
        train=FreshCrops(pixels, corners["train"], width, _SIZES["train"]),
        valid=held_out("valid", 0),
        test=held_out("test", 1),
    )


class FreshCrops(Split):
    """A crop of a random place: the photograph goes by the index, the place by the seed.

    pixels: uint8 [photographs * height * width, 3].
    corners: int64 [photographs, places], the number in `pixels` of each crop's upper left pixel.
    """

    def __init__(self, pixels: np.ndarray, corners: np.ndarray, width: int, size: int) -> None:
        self.size = size
        self._width = width
        with tf.device("CPU:0"):
            self._pixels, self._corners = tf.constant(pixels), tf.constant(corners)

    def read(self, index: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        photographs, places = self._corners.shape
        place = random_integers(seed, _CROP, places)
        corner = tf.gather_nd(self._corners, tf.stack([index % photographs, place], axis=1))
        return _crop(self._pixels, corner, self._width)


def _photographs() -> np.ndarray:
    """uint8 [2, 427, 640, 3]."""
    from sklearn.datasets import load_sample_images

    return np.stack(load_sample_images().images)


def _corners(shape: tuple[int, ...], strips: tuple[tuple[int, int], ...]) -> np.ndarray:
    """int64 [photographs, places]: the upper left pixel of every crop that lies within a strip."""
    count, height, width, _ = shape
    columns = np.concatenate([np.arange(start, end - _SIDE + 1) for start, end in strips])
    rows = np.arange(height - _SIDE + 1)
    number = np.arange(count)
    corners = (number[:, None, None] * height + rows[:, None]) * width + columns
    return corners.reshape(count, -1)


def _crop(pixels: np.ndarray | tf.Tensor, corner: np.ndarray | tf.Tensor, width: int) -> tf.Tensor:
    """uint8 [n, 32, 32, 3] of `pixels` [m, 3] in rows of `width`, from upper left pixels `corner` [n]."""
    window = np.arange(_SIDE)[:, None] * width + np.arange(_SIDE)
    return tf.gather(pixels, corner[:, None, None] + window)
