"""What a generator makes of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nvp_tf.event import Event
from nvp_tf.figures.moons import limits
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source, Unfit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RADII, FINE = (0.5, 1.0, 1.5, 2.0, 2.5), 2000  # of circles of latents, and points on each


def draw(source: Source, *, num: int = 2000) -> Image.Image:
    """A run in the plane as a generator: noise z, what g makes of circles and spokes of it, x = g(z) (figure 4.4).

        z ~ prior,    x = g(z)

    Colours go by the angle of z. Behind x, in grey, is the data that it was to resemble.

    Args:
      num: points drawn.
    """
    if source.config.model.event != Event((2,)):
        raise Unfit(f"generator needs a run on 2-D vectors, {source.run.path} has {source.config.model.event_shape}")
    z = source.flow.sample_latents(num, source.seed).numpy()
    data = source.examples(num)
    figure, (places,) = new_figure((12, 4.2), columns=3)
    lines = _lines()
    mapped = source.decode(lines.reshape(-1, 2).astype(np.float32)).reshape(lines.shape)
    _points(places[0], z, z)
    prior = {"normal": "N(0, I)", "logistic": "logistic"}[source.config.model.prior]
    places[0].set_title(f"z ~ {prior}", fontsize=11)
    _curves(places[0], lines)
    _curves(places[1], mapped)
    places[1].set_title("where g takes the circles and spokes", fontsize=11)
    places[2].scatter(*data.T, color="0.8", s=6, linewidths=0, label=f"data: {source.dataset.name}")
    _points(places[2], source.decode(z), z)
    places[2].set_title("x = g(z)", fontsize=11)
    places[2].legend(fontsize=8, loc="upper right")
    for axes, name, of in zip(places, "zxx", (z, data, data), strict=True):
        (x_low, x_high), (y_low, y_high) = limits(of)
        axes.set(xlabel=f"${name}_1$", ylabel=f"${name}_2$", xlim=(x_low, x_high), ylim=(y_low, y_high), aspect="equal")
    return to_picture(figure)


def _lines() -> np.ndarray:
    """Circles, then spokes, [lines, FINE, 2]."""
    angle, spokes = np.linspace(-np.pi, np.pi, FINE), np.linspace(-np.pi, np.pi, 13)[:-1]
    circles = [radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1) for radius in RADII]
    along = np.linspace(0, RADII[-1], FINE)[:, None]
    return np.stack([*circles, *(along * [np.cos(a), np.sin(a)] for a in spokes)])


def _curves(axes: Axes, lines: np.ndarray) -> None:
    for i, line in enumerate(lines):
        axes.plot(*line.T, color="0.35", linewidth=1.0 if i < len(RADII) else 0.5)


def _points(axes: Axes, where: np.ndarray, z: np.ndarray) -> None:
    axes.scatter(*where.T, c=np.arctan2(z[:, 1], z[:, 0]), cmap="hsv", s=5, linewidths=0)
