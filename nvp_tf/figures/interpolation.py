"""From one image to another through the latents."""

import numpy as np
from PIL import Image

from nvp_tf.pictures.layout import Panel, page
from nvp_tf.runs.source import Source, Unfit


def draw(source: Source, *, num: int = 8, stops: int = 9) -> Image.Image:
    """From one held-out image to another along an arc in latent space (section 5.4, manifold learning).

        z(t) = r(t) (sin((1 - t) w) e0 + sin(t w) e1) / sin(w),   r(t) = (1 - t) |z0| + t |z1|

    e0, e1 are the directions of the latents z0, z1 [D] and w the angle between them. The norm goes evenly from
    the one to the other: half-way on the straight line it would be 0.7 of theirs, which no draw of many dimensions
    has. Under the logistic prior the same arc is taken: there, too, it keeps the norm, but a latent half-way is the
    sum of two logistics, somewhat closer to a normal than to a logistic. Both ends are the images, exactly.

    Args:
      num: pairs, one a row.
      stops: images a row, the two ends counted; at least 2.
    """
    source.need_images("interpolation")
    images = source.examples(2 * num)
    if len(images) < 2 * num:
        raise Unfit(f"interpolation needs {2 * num} held-out images, {source.dataset.name} has {len(images)}")
    t = np.linspace(0, 1, stops)
    z = source.encode(images)
    path = np.concatenate([arc(z0, z1, t) for z0, z1 in zip(z[::2], z[1::2], strict=True)])
    panel = Panel(source.decode(path), source.levels, columns=stops, heads=[f"{s:.3g}" for s in t],
                  title="t, the part of the way from a held-out image to another")  # fmt: skip
    return page([panel], inches=num * 0.75)


def arc(z0: np.ndarray, z1: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points [n, D] at the parts t [n] of the way from z0 to z1 [D], which are the ends exactly."""
    r0, r1 = np.linalg.norm(z0), np.linalg.norm(z1)
    e0, e1, t = z0 / r0, z1 / r1, t[:, None]
    angle = np.arccos(np.clip(e0 @ e1, -1, 1))
    if np.sin(angle) < 1e-6:  # The same direction, or the opposite one: no arc is shorter than another.
        return (1 - t) * z0 + t * z1
    direction = (np.sin((1 - t) * angle) * e0 + np.sin(t * angle) * e1) / np.sin(angle)
    return ((1 - t) * r0 + t * r1) * direction
