"""Masks of coupling layers: boolean arrays of one example's shape, True where the input is kept.

Pure functions of their arguments. `swap=True` exchanges the kept and the changed part.
"""

from typing import Any

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


def pack(mask: np.ndarray) -> dict[str, Any]:
    """A mask as what JSON can hold: its shape, and its entries in hexadecimal digits of four each."""
    return {"shape": list(mask.shape), "kept": np.packbits(mask).tobytes().hex()}


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """The mask that `pack` made this of."""
    shape = tuple(packed["shape"])
    bits = np.frombuffer(bytes.fromhex(packed["kept"]), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(shape))).astype(bool).reshape(shape)
