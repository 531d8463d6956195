"""How complex an image is by itself: the bits that a lossless compressor needs for it."""

import bz2
import io
import lzma
import math
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image


def _picture(image: np.ndarray, suffix: str, **options: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(file, suffix, **options)
    return file.getvalue()


def _lzma(image: np.ndarray) -> bytes:
    # Raw, with a dictionary of the image's size: a header or the usual 64 MiB would cost more than the image.
    coder = {"id": lzma.FILTER_LZMA1, "dict_size": max(4096, image.size)}
    return lzma.compress(image.tobytes(), lzma.FORMAT_RAW, filters=[coder])


COMPRESSORS: dict[str, Callable[[np.ndarray], bytes]] = {
    "png": lambda image: _picture(image, "png", compress_level=9),
    # With less than the most effort, WebP takes half as much again for images of 8x8.
    "webp": lambda image: _picture(image, "webp", lossless=True, quality=100, method=6),
    "zlib": lambda image: zlib.compress(image.tobytes(), 9),
    "bz2": lambda image: bz2.compress(image.tobytes()),
    "lzma": _lzma,
}
LENGTHS = (*COMPRESSORS, "smallest")


def lengths(images: np.ndarray) -> dict[str, np.ndarray]:
    """L(x) by each compressor and by whichever is the smallest: {name: float64 [n] bits}.

    Args:
      images: uint8 [n, height, width, channels], of 1 or 3 channels.
    """
    one_by_one = list(np.ascontiguousarray(images))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        each = {
            name: np.array([8.0 * len(code) for code in threads.map(compress, one_by_one)])
            for name, compress in COMPRESSORS.items()
        }
    return each | {"smallest": np.min(list(each.values()), axis=0)}


def complexity_score(log_prob: np.ndarray, length: np.ndarray) -> np.ndarray:
    """S(x) = -log2 p(x) - L(x), bits; high for what the model finds less likely than its simplicity warrants.

    It is a log-likelihood ratio of the compressor, as a model of images in general, to the model
    (Serra et al. 2020).

    Args:
      log_prob: [n] nats.
      length: L(x), [n] bits.
    """
    return -log_prob / math.log(2) - length
