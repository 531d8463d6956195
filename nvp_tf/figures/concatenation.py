"""Many images as one."""

import numpy as np
from PIL import Image

from nvp_tf.figures.resized import resized, with_own_statistics
from nvp_tf.pictures.layout import Panel, page
from nvp_tf.runs.source import Source


def draw(source: Source, *, num: int = 16) -> Image.Image:
    """The latents of several held-out images, side by side as those of one large image (the authors' code).

        x = g(Z),   Z [rows H, columns W, C] the latents f(x_i) [H, W, C] in rows

    Decoded as one image, each neighbour sees over its edge: what changes beside the images themselves is what the
    model makes of the seams. Twice, as in `enlarged`: with running statistics, where one image comes back as it is,
    and with those of the large image.

    Args:
      num: images, in as square a grid as they fill.
    """
    source.need_scales("concatenation")
    images = source.examples(num)
    panels = {
        "images side by side": side_by_side(images),
        "their latents as one image, running statistics": concatenate(source, images),
        "the same, the image's own statistics": concatenate(source, images, own_statistics=True),
    }
    return page([Panel(image[None], source.levels, title=title) for title, image in panels.items()], inches=5.0)


def concatenate(source: Source, images: np.ndarray, own_statistics: bool = False) -> np.ndarray:
    """Held-out images [n, H, W, C] -> the one image [rows H, columns W, C] of their latents."""
    z = side_by_side(source.encode(images).reshape(-1, *source.flow.latent_shape))
    height, width, _ = z.shape
    flow = resized(source, height, width, "concatenation")
    if own_statistics:
        flow = with_own_statistics(flow)
    return flow.decode(z.reshape(1, -1)).numpy()[0]


def side_by_side(parts: np.ndarray) -> np.ndarray:
    """[n, H, W, C] -> [rows H, columns W, C], row by row; as square as n allows without a gap."""
    n, height, width, channels = parts.shape
    rows = max(r for r in range(1, int(n**0.5) + 1) if n % r == 0)
    grid = parts.reshape(rows, n // rows, height, width, channels)
    return np.ascontiguousarray(grid.transpose(0, 2, 1, 3, 4)).reshape(rows * height, -1, channels)
