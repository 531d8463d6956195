"""Both directions of a flow in the plane."""

import numpy as np

from nvp_tf.figures.layout import new_figure, to_picture
from nvp_tf.figures.source import Unfit

SPACING, FINE = 0.5, 400  # between two lines of a grid, in deviations; points a line


def draw(source, *, num=2000):
    """Latents to data (red) and data to latents (blue) in the plane, and what each map does to a grid (figure 5.1).

        x = g(z), z ~ prior          z = f(x), x of the test split          f = g^-1

    Upper row: draws of the prior, the image of a regular grid of latents under g, the draws mapped. Lower row: data,
    the image of a regular grid of the data's plane under f, the data mapped. Colours go by the first coordinate
    where a point comes from, so that it can be found again.

    Args:
      num: points a row.
    """
    if source.config.model.event_shape != (2,) or source.config.model.pixels is not None:
        raise Unfit(f"moons needs a run on 2-D vectors, {source.run.path} has events {source.config.model.event_shape}")
    z = source.flow.sample_latents(num, source.seed).numpy()
    x = source.examples(num)
    prior = {"normal": "N(0, I)", "logistic": "logistic"}[source.config.model.prior]
    figure, (upper, lower) = new_figure((12, 8), 2, 3)
    row(upper, z, source.decode, "autumn", ("z", "x", "g"), (f"z ~ {prior}", "x = g(z)"))
    row(lower, x, source.encode, "winter", ("x", "z", "f"), (f"x of {source.dataset.name}", "z = f(x)"))
    # Each space over the same square in both rows, so that above and below can be compared.
    for left, right in ((upper[0], lower[2]), (lower[0], upper[2])):
        place = limits(np.concatenate([a.collections[-1].get_offsets() for a in (left, right)]))
        for axes in (left, right, upper[1] if left is lower[0] else lower[1]):
            axes.set(xlim=place[0], ylim=place[1], aspect="equal")
    return to_picture(figure)


def row(axes, points, function, colours, names, titles):
    """Points with a grid behind them, the grid's image, the points' image."""
    start, end, arrow = names
    lines = grid_lines(points)
    mapped_lines = function(lines.reshape(-1, 2)).reshape(lines.shape)
    colour = {"c": points[:, 0], "cmap": colours, "s": 4, "linewidths": 0}
    for place, curves, grey in (
        (axes[0], lines, "0.85"),
        (axes[1], mapped_lines, None),
        (axes[2], mapped_lines, "0.9"),
    ):
        for curve in curves:
            place.plot(*curve.T, color=grey or "0.45", linewidth=0.6, zorder=0)
    axes[0].scatter(*points.T, **colour)
    axes[2].scatter(*function(points).T, **colour)
    words = (titles[0], f"{arrow}: the grid of {start} in the plane of {end}", titles[1])
    for place, name, title in zip(axes, (start, end, end), words, strict=True):
        place.set(xlabel=f"{name}$_1$", ylabel=f"{name}$_2$")
        place.set_title(title, fontsize=10)


def grid_lines(points):
    """Straight lines over where the points are, [lines, FINE, 2]: first those across, then those up."""
    centre, spread = points.mean(axis=0), points.std(axis=0)
    reach = np.abs((points - centre) / spread).max()
    at = SPACING * np.arange(-np.ceil(reach / SPACING), np.ceil(reach / SPACING) + 1)
    along = np.linspace(at[0], at[-1], FINE)
    up = np.stack(np.broadcast_arrays(at[:, None], along), axis=-1)
    return (centre + spread * np.concatenate([up[..., ::-1], up])).astype(np.float32)


def limits(points):
    """((low, high), (low, high)) of a square that holds nearly all points."""
    low, high = np.percentile(points, [0.2, 99.8], axis=0)
    centre, reach = (low + high) / 2, 0.6 * (high - low).max()
    return [(c - reach, c + reach) for c in centre]
