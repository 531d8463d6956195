"""A sphere in the latent space, seen in the data space."""

import numpy as np
from PIL import Image

from nvp_tf.pictures.layout import Panel, degrees, page
from nvp_tf.runs.source import Source


def draw(source: Source, *, angles: int = 12) -> Image.Image:
    """Images on a sphere in latent space, by its two angles (figure 5.6).

        z = cos(phi) cos(psi) u1 + cos(phi) sin(psi) u2 + sin(phi) u3

    u1, u2, u3 are independent draws from the prior [D], so that each point has the norm of a draw: on a sphere of
    radius 1 in an orthonormal basis all images would be nearly the same. The angles are evenly spaced, rows by
    phi from -90 to 90 degrees without the poles, columns by psi around the circle.

    Args:
      angles: how many, each way.
    """
    source.need_images("sphere")
    phi, psi = grid_angles(angles)
    basis = source.flow.sample_latents(3, source.seed).numpy()
    images = source.decode(coefficients(phi, psi).reshape(-1, 3) @ basis)
    panel = Panel(images, source.levels, columns=angles, rows=degrees(phi), heads=degrees(psi),
                  x_label="azimuth ψ", y_label="elevation φ")  # fmt: skip
    return page([panel], title="A sphere through three draws of the latents", inches=6.5)


def grid_angles(count: int) -> tuple[np.ndarray, np.ndarray]:
    """(elevations, azimuths), radians [count] each; evenly spaced, the poles between two rows."""
    steps = np.arange(count)
    return np.pi * ((steps + 0.5) / count - 0.5), 2 * np.pi * steps / count


def coefficients(phi: np.ndarray, psi: np.ndarray) -> np.ndarray:
    """[rows, columns, 3]: the points of the unit sphere at those angles."""
    phi, psi = np.meshgrid(phi, psi, indexing="ij")
    return np.stack([np.cos(phi) * np.cos(psi), np.cos(phi) * np.sin(psi), np.sin(phi)], axis=-1)
