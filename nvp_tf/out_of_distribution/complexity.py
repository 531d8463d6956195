"""How complex an image is by itself: the bits that WebP needs for it."""

import io
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from nvp_tf.runtime import cores


def webp(image: np.ndarray) -> bytes:
    """Lossless WebP of uint8 [height, width, channels], of 1 or 3 channels."""
    file = io.BytesIO()
    picture = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)
    # With less than the most effort, WebP takes half as much again for images of 8x8.
    picture.save(file, "webp", lossless=True, quality=100, method=6)
    return file.getvalue()


def lengths(images: np.ndarray) -> np.ndarray:
    """L(x) of each image, uint8 [n, height, width, channels] -> float64 [n] bits."""
    with ThreadPoolExecutor(cores()) as threads:
        return np.array([8.0 * len(code) for code in threads.map(webp, np.ascontiguousarray(images))])


def complexity_score(log_prob: np.ndarray, length: np.ndarray) -> np.ndarray:
    """S(x) = -log2 p(x) - L(x), bits; high for what the model finds less likely than its simplicity warrants.

    It is a log-likelihood ratio of the compressor, as a model of images in general, to the model
    (Serra et al. 2020).

    Args:
      log_prob: [n] nats.
      length: L(x), [n] bits.
    """
    return -log_prob / math.log(2) - length
