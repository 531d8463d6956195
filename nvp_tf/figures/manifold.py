"""A manifold through four images."""

import numpy as np

from nvp_tf.figures.layout import Panel, degrees, page
from nvp_tf.figures.source import Unfit


def draw(source, *, angles=8):
    """A manifold through four held-out images, by two angles (figure 5.14).

        z = cos(a) (cos(b) z1 + sin(b) z2) + sin(a) (cos(b) z3 + sin(b) z4),   a, b = 2 pi k / angles

    z1 to z4 are the latents of the images [D]. The squares of the four coefficients add up to 1, so every point has
    about the norm of a latent. The images themselves are at angles of 0 and 90 degrees, where `angles` is divisible
    by 4; opposite them are the images of -z.

    Args:
      angles: how many, each way.
    """
    source.need_images("manifold")
    four = source.examples(4)
    if len(four) < 4:
        raise Unfit(f"manifold needs 4 held-out images, {source.dataset.name} has {len(four)}")
    around = 2 * np.pi * np.arange(angles) / angles
    images = source.decode(coefficients(around).reshape(-1, 4) @ source.encode(four))
    words = degrees(around)
    ends = Panel(
        four, source.levels, columns=2, title="held out", rows=["a = 0°", "a = 90°"], heads=["b = 0°", "b = 90°"]
    )
    manifold = Panel(images, source.levels, columns=angles, title="between and beyond them", rows=words, heads=words,
                     x_label="angle b", y_label="angle a")  # fmt: skip
    return page([ends, manifold], inches=6)


def coefficients(around):
    """[angles, angles, 4]: of z1 to z4, rows by a, columns by b."""
    a, b = np.meshgrid(around, around, indexing="ij")
    return np.stack(
        [np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a) * np.cos(b), np.sin(a) * np.sin(b)], axis=-1
    )
