"""Both directions of a flow in the plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nvp_tf.event import Event
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source, Unfit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES, FINE = 25, 500  # of a grid, each way; points a line


def draw(source: Source, *, num: int = 2000) -> Image.Image:
    """Latents to data (red) and data to latents (blue) in the plane, and what each map does to a grid (figure 5.1).

        x = g(z), z ~ prior          z = f(x), x of the test split          f = g^-1

    Upper row: draws of the prior, the image of a regular grid of latents under g, the draws mapped. Lower row: data,
    the image of a regular grid of the data's plane under f, the data mapped. Colours go by the first coordinate
    where a point comes from, so that it can be found again.

    Args:
      num: points a row.
    """
    if source.config.model.event != Event((2,)):
        raise Unfit(f"moons needs a run on 2-D vectors, {source.run.path} has events {source.config.model.event_shape}")
    z = source.flow.sample_latents(num, source.seed).numpy()
    x = source.examples(num)
    prior = {"normal": "N(0, I)", "logistic": "logistic"}[source.config.model.prior]
    figure, (upper, lower) = new_figure((12, 8), 2, 3)
    row(upper, z, source.decode, "Reds", ("z", "x", "g"), (f"z ~ {prior}", "x = g(z)"))
    row(lower, x, source.encode, "Blues", ("x", "z", "f"), (f"x of {source.dataset.name}", "z = f(x)"))
    # Each space over the same square in both rows, so that above and below can be compared.
    for panels in ((upper[0], lower[1], lower[2]), (lower[0], upper[1], upper[2])):
        x_limits, y_limits = limits(
            np.concatenate([np.asarray(panels[k].collections[-1].get_offsets()) for k in (0, 2)])
        )
        for axes in panels:
            axes.set(xlim=x_limits, ylim=y_limits, aspect="equal")
    return to_picture(figure)


def row(
    axes: Sequence[Axes],
    points: np.ndarray,
    function: Callable[[np.ndarray], np.ndarray],
    colours: str,
    names: tuple[str, str, str],
    titles: tuple[str, str],
) -> None:
    """Points on a grid, the grid's image, the points' image."""
    start, end, arrow = names
    lines, mapped_points = grid_lines(points), function(points)
    mapped_lines = function(lines.reshape(-1, 2)).reshape(lines.shape)
    draw_lines(axes[0], lines, "0.9", "0.9")
    draw_lines(axes[1], mapped_lines, f"tab:{colours[:-1].lower()}", "0.4")
    # From the middle of the colour map on: what is nearly white is not seen.
    shade = 0.4 + 0.6 * np.argsort(np.argsort(points[:, 0])) / len(points)
    for place, where in ((axes[0], points), (axes[2], mapped_points)):
        place.scatter(where[:, 0], where[:, 1], c=shade, cmap=colours, vmin=0, vmax=1, s=5, linewidths=0)
    words = (titles[0], f"{arrow}: the grid of {start} in the plane of {end}", titles[1])
    for place, name, title in zip(axes, (start, end, end), words, strict=True):
        place.set(xlabel=f"${name}_1$", ylabel=f"${name}_2$")
        place.set_title(title, fontsize=11)


def draw_lines(axes: Axes, lines: np.ndarray, across: str, up: str) -> None:
    """Both families of a grid, each in its colour."""
    for i, line in enumerate(lines):
        axes.plot(*line.T, color=across if i < LINES else up, linewidth=0.6, zorder=0)


def grid_lines(points: np.ndarray) -> np.ndarray:
    """Straight lines over where the points are, [2 LINES, FINE, 2]: first those across, then those up."""
    low, high = points.min(axis=0), points.max(axis=0)
    at, along = np.linspace(low, high, LINES), np.linspace(low, high, FINE)
    across = np.stack(np.meshgrid(along[:, 0], at[:, 1]), axis=-1)
    up = np.stack(np.meshgrid(at[:, 0], along[:, 1], indexing="ij"), axis=-1)
    return np.concatenate([across, up]).astype(np.float32)


def limits(points: np.ndarray) -> list[tuple[float, float]]:
    """[(low, high), (low, high)] of a square that holds nearly all points."""
    low, high = np.percentile(points, [0.2, 99.8], axis=0)
    centre, reach = (low + high) / 2, 0.6 * (high - low).max()
    return [(c - reach, c + reach) for c in centre]
