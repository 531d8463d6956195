"""Three pictures of a measurement: the scores, two of the statistics of `foreign`, and the images themselves."""

import math
from typing import Any

import numpy as np
from PIL import Image

from nvp_tf.models.objectives import bits_per_dim
from nvp_tf.out_of_distribution.detectors import LEVEL, Scored
from nvp_tf.out_of_distribution.measure import OWN, Measurement
from nvp_tf.pictures.layout import GAP, new_figure, tile, to_picture

_EXAMPLES = 6  # of each set
_WORDS: dict[str, Any] = {"fontsize": 7, "ha": "center", "va": "top"}


def histograms(measurement: Measurement) -> Image.Image:
    """bits/dim of every set, a row each; shaded, what typicality lets pass. What is beyond the ends is at them."""
    own = _bits(measurement, measurement.scored[OWN])
    # A density can exceed 1, and its bits be negative: a model of nearly nothing but background.
    logarithmic = own.min() > 0
    width = own.max() - own.min()
    ends = (own.min() / 10, own.max() * 10) if logarithmic else (own.min() - width, own.max() + 3 * width)
    scores = {name: np.clip(_bits(measurement, each), *ends) for name, each in measurement.scored.items()}
    figure, ((axes,),) = new_figure((9, 0.42 * len(scores) + 1))
    spaced = np.geomspace if logarithmic else np.linspace
    edges = spaced(min(map(np.min, scores.values())), max(map(np.max, scores.values())), 121)
    names = list(reversed(scores))
    for row, name in enumerate(names):
        counts, _ = np.histogram(scores[name], edges)
        axes.stairs(row + 0.85 * counts / counts.max(), edges, baseline=row, fill=True, color=f"C{row}", alpha=0.8)
    axes.axvspan(*_typical(measurement), color="0.5", alpha=0.2, zorder=0)
    if logarithmic:
        axes.set_xscale("log")
        _plain(axes.xaxis)
    axes.set(xlabel="bits/dim (lower is likelier)", ylim=(-0.05, len(names)))
    axes.margins(x=0.01)
    axes.set_yticks(np.arange(len(names)) + 0.3, names, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.3)
    rules = ("log_prob", "typicality", "foreign")
    aurocs = [[measurement.figures[name]["auroc"][rule] for rule in rules] for name in names]
    right = axes.secondary_yaxis("right")
    right.set_yticks(np.arange(len(names)) + 0.3, ["   ".join(f"{a:.2f}" for a in row) for row in aurocs], fontsize=8)
    right.tick_params(length=0)
    axes.set_title(f"shaded: typicality at least {LEVEL}", fontsize=9, loc="left")
    axes.set_title(f"AUROC: {', '.join(rules)}", fontsize=9, loc="right")
    return to_picture(figure)


def statistics(measurement: Measurement) -> Image.Image:
    """Each set in a panel over the test images: bits/dim of the model against those of `foreign`'s own code.

    Two of its three statistics; red is what has a `foreign` below 0.05. What is above the panel is at its upper edge.
    """
    figures, columns = measurement.figures, 5
    rows = math.ceil(len(figures) / columns)
    figure, panels = new_figure((2.5 * columns, 2.3 * rows + 0.3), rows, columns)
    points = {name: _points(measurement, scored) for name, scored in measurement.scored.items()}
    (left, bottom), (right, top) = (f(np.concatenate(list(points.values()), axis=1), axis=1) for f in (np.min, np.max))
    top = min(top, 3 * points[OWN][1].max())
    for axes, (name, xy) in zip(panels.flat, points.items(), strict=False):
        caught = measurement.detectors.p_values(measurement.scored[name])["foreign"] < LEVEL
        axes.scatter(*points[OWN], s=2, color="0.75", linewidths=0)
        colours = np.where(caught, "tab:red", "0.2")
        axes.scatter(xy[0], np.minimum(xy[1], top), s=3, c=colours, linewidths=0)
        shares = figures[name]["caught"]
        words = f"typicality {100 * shares['typicality']:.0f} %, foreign {100 * shares['foreign']:.0f} %"
        axes.set_title(f"{name}\n{words}", fontsize=8)
        axes.set(xscale="log", yscale="log", xlim=(left / 1.1, right * 1.1), ylim=(bottom / 1.1, top * 1.1))
        _plain(axes.xaxis)
        _plain(axes.yaxis)
        axes.tick_params(labelsize=7)
    for axes in panels.flat[len(figures) :]:
        axes.set_axis_off()
    figure.supxlabel("bits/dim by the code", fontsize=9)
    figure.supylabel("bits/dim by the model", fontsize=9)
    return to_picture(figure)


def examples(measurement: Measurement) -> Image.Image:
    """Some images of each set; beneath each its bits/dim and `foreign`, red where that is below 0.05."""
    from matplotlib.patches import Rectangle

    columns = 2
    rows = math.ceil(len(measurement.scored) / columns)
    figure, panels = new_figure((5.6 * columns, 1.4 * rows), rows, columns)
    for axes, (name, scored) in zip(panels.flat, measurement.scored.items(), strict=False):
        chosen = np.linspace(0, len(scored.images) - 1, _EXAMPLES).round().astype(int)
        canvas = tile(scored.images[chosen], measurement.levels, _EXAMPLES)
        axes.imshow(canvas.squeeze(-1) if canvas.shape[-1] == 1 else canvas, cmap="gray", vmin=0, vmax=255)
        height, width = scored.images.shape[1:3]
        bits = _bits(measurement, scored)[chosen]
        foreign = measurement.detectors.p_values(scored)["foreign"][chosen]
        for i, (b, p) in enumerate(zip(bits, foreign, strict=True)):
            left = i * (width + GAP) + GAP - 0.5
            axes.add_patch(Rectangle((left, GAP - 0.5), width, height, fill=False, color="0.7", linewidth=0.5))
            axes.annotate(
                f"{b:.2f}, {p:.3f}",
                (left + width / 2, GAP + height - 0.5),
                xytext=(0, -3),
                textcoords="offset points",
                color="tab:red" if p < LEVEL else "black",
                **_WORDS,
            )
        axes.set_title(name, fontsize=9, loc="left", pad=3)
    for axes in panels.flat:
        axes.set_axis_off()
    return to_picture(figure)


def _plain(axis: Any) -> None:
    """1, 2, 5, 10, ... on a logarithmic axis."""
    from matplotlib.ticker import LogLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def _bits(measurement: Measurement, scored: Scored) -> np.ndarray:
    """[n] bits/dim; an image without a score is infinitely unlikely here."""
    return np.nan_to_num(bits_per_dim(scored.log_prob, measurement.dimensions), nan=np.inf, posinf=np.inf)


def _points(measurement: Measurement, scored: Scored) -> np.ndarray:
    """[2, n]: bits/dim by the code, by the model, as far from 0 as `foreign` has them at least."""
    log_prob = np.nan_to_num(scored.log_prob, nan=-np.inf)
    t = measurement.detectors.reference.foreign.statistics(scored.images, log_prob).numpy()
    return np.exp(t[:, [1, 0]].T)


def _typical(measurement: Measurement) -> np.ndarray:
    """The ends, in bits/dim, of what typicality lets pass."""
    return np.quantile(_bits(measurement, measurement.detectors.held_out), (LEVEL / 2, 1 - LEVEL / 2))
