"""What a flow draws, as a picture: a grid of images, or points beside the density of a 2-D flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.pictures.layout import grid, new_figure, to_picture

if TYPE_CHECKING:
    import tensorflow as tf


class Drawable(Protocol):
    """What is drawn of a `Flow`."""

    event: Event

    def sample(self, num_samples: int, seed: int = 0, temperature: float = 1.0) -> tf.Tensor: ...

    def log_prob(self, x: np.ndarray) -> tf.Tensor: ...


def has_picture(flow: Drawable) -> bool:
    """Whether `sample_picture` can draw the flow: images, or 2-D vectors."""
    return flow.event.is_image or flow.event.shape == (2,)


def default_count(flow: Drawable) -> int:
    """How many samples a picture shows when nobody says: an image needs more room than a point."""
    return 64 if flow.event.is_image else 2000


def sample_picture(flow: Drawable, num_samples: int, seed: int = 0, temperature: float = 1.0) -> Image.Image:
    """A grid of samples for images; for 2-D vectors, samples beside the density that they come from.

    Raises:
      UserError: a flow of vectors that are not 2-D.
    """
    if not has_picture(flow):
        raise UserError(f"vectors of shape {flow.event.shape} have no picture, expected images or 2-D vectors")
    samples = flow.sample(num_samples, seed, temperature).numpy()
    return density_picture(flow, samples) if flow.event.levels is None else grid(samples, flow.event.levels)


def density_picture(flow: Drawable, samples: np.ndarray, resolution: int = 300) -> Image.Image:
    """Samples of a 2-D flow, and its density over the same square, or rectangle of its units."""
    low, high = np.percentile(samples, [0.5, 99.5], axis=0)
    own_units = flow.event.reals == "float64"  # each axis has its own
    reach = 0.65 * (high - low if own_units else np.repeat((high - low).max(), 2))
    centre, dtype = (low + high) / 2, flow.event.dtype
    axes_x, axes_y = np.linspace(centre - reach, centre + reach, resolution, dtype=dtype).T
    points = np.stack(np.meshgrid(axes_x, axes_y), axis=-1).reshape(-1, 2)
    density = np.exp(flow.log_prob(points).numpy()).reshape(resolution, resolution)

    figure, ((left, right),) = new_figure((10, 5), columns=2)
    extent = (axes_x[0], axes_x[-1], axes_y[0], axes_y[-1])
    left.scatter(*samples.T, s=4, alpha=0.5, linewidths=0)
    left.set(
        title=f"{len(samples)} samples",
        xlim=extent[:2],
        ylim=extent[2:],
        xlabel="x1",
        ylabel="x2",
        aspect="auto" if own_units else "equal",
    )
    image = right.imshow(density, origin="lower", extent=extent, cmap="magma", aspect="auto" if own_units else "equal")
    right.set(title="density p(x)", xlabel="x1")
    figure.colorbar(image, ax=right, shrink=0.8)
    return to_picture(figure)
