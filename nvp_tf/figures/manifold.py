"""A manifold through four images."""

import numpy as np
from PIL import Image

from nvp_tf.pictures.layout import Panel, degrees, page
from nvp_tf.runs.source import Source, Unfit


def draw(source: Source, *, angles: int = 8) -> Image.Image:
    """A manifold through four held-out images, by two angles (figure 5.14).

        z = cos(a) (cos(b) z1 + sin(b) z2) + sin(a) (cos(b) z3 + sin(b) z4),   a, b = 2 pi k / angles

    z1 to z4 are the latents of the images [D]. The squares of the four coefficients add up to 1, so every point has
    about the norm of a latent. The images themselves, in a red frame, are where a and b are 0 or 90 degrees, and once
    more where both are turned by 180, if `angles` is divisible by 4.

    Args:
      angles: how many, each way.
    """
    source.need_images("manifold")
    four = source.examples(4)
    if len(four) < 4:
        raise Unfit(f"manifold needs 4 held-out images, {source.dataset.name} has {len(four)}")
    around = 2 * np.pi * np.arange(angles) / angles
    weights = coefficients(around).reshape(-1, 4)
    images = source.decode(weights @ source.encode(four))
    at_image = np.flatnonzero(weights.max(axis=1) > 1 - 1e-9)  # where one coefficient is 1
    panel = Panel(images, source.levels, columns=angles, rows=degrees(around), heads=degrees(around),
                  x_label="angle b", y_label="angle a", framed=list(at_image))  # fmt: skip
    return page([panel], title="A manifold through the latents of four held-out images (framed)", inches=6.5)


def coefficients(around: np.ndarray) -> np.ndarray:
    """[angles, angles, 4]: of z1 to z4, rows by a, columns by b."""
    a, b = np.meshgrid(around, around, indexing="ij")
    return np.stack(
        [np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a) * np.cos(b), np.sin(a) * np.sin(b)], axis=-1
    )
