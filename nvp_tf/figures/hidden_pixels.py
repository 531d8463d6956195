"""The ten ways to hide pixels of figure 5.7."""

import numpy as np


def hidden_pixels(height: int, width: int, num: int, seed: int = 0) -> dict[str, np.ndarray]:
    """name -> bool [num, height, width, 1], True where hidden; names and order are the thesis'.

    "odd" and "even" count the pixels from 1, row by row, so that with an even width they are columns. "middle
    vertically" hides rows from a quarter to three quarters, "middle horizontally" columns. The random ones differ
    from image to image.
    """
    row, column = np.indices((height, width))
    number = row * width + column  # from 0
    rng = np.random.default_rng(seed)
    masks = {
        "top rows": row < height // 2,
        "bottom rows": row >= height // 2,
        "odd pixels": number % 2 == 0,
        "even pixels": number % 2 == 1,
        "left side": column < width // 2,
        "right side": column >= width // 2,
        "middle vertically": (row >= height // 4) & (row < 3 * height // 4),
        "middle horizontally": (column >= width // 4) & (column < 3 * width // 4),
        "75% random": rng.random((num, height, width)) < 0.75,
        "90% random": rng.random((num, height, width)) < 0.9,
    }
    return {name: np.broadcast_to(mask, (num, height, width))[..., None].copy() for name, mask in masks.items()}
