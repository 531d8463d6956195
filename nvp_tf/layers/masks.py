"""Masks of coupling layers: boolean arrays of one example's shape, True where the input is kept.

Pure functions of their arguments. `swap=True` exchanges the kept and the changed part.
"""

import numpy as np


def half(size: int, swap: bool = False) -> np.ndarray:
    """[size]: keeps the first half of a vector; an odd size keeps one entry more."""
    return (np.arange(size) < (size + 1) // 2) ^ swap


def parity(size: int, swap: bool = False) -> np.ndarray:
    """[size]: keeps the entries of even index (NICE's partition, thesis 5.2)."""
    return (np.arange(size) % 2 == 0) ^ swap


def checkerboard(height: int, width: int, channels: int, swap: bool = False) -> np.ndarray:
    """[height, width, channels]: keeps the pixels with i + j even, the top left one too (figure 5.8)."""
    i, j = np.indices((height, width))
    return np.repeat(((i + j) % 2 == 0)[..., None], channels, axis=-1) ^ swap


def channel(height: int, width: int, channels: int, swap: bool = False) -> np.ndarray:
    """[height, width, channels]: keeps the first half of the channels (figure 5.8)."""
    return np.broadcast_to(half(channels, swap), (height, width, channels)).copy()
