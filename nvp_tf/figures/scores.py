"""What a model finds likely: its scores of data that it knows, of other data, and of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nvp_tf.models.objectives import bits_per_dim
from nvp_tf.out_of_distribution import sets
from nvp_tf.pictures.layout import Panel, draw_panel, new_figure, to_picture
from nvp_tf.runs.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 16  # of the best scored, and of the worst


def draw(source: Source, *, num: int = 500) -> Image.Image:
    """Scores of training, held-out and altered images, and the held-out images that score best and worst.

    Lower is likelier. Train and test agree unless the model overfits. The altered images are the same held-out ones
    turned by 180 degrees and as negatives; noise is independent and uniform over the levels, for which the best
    possible score is log2(levels), reached by a model of nothing else. Other data sets of the same shape that are here,
    as `nvp_tf datasets` lists them, are scored too.

    Args:
      num: images of each kind.
    """
    source.need_images("scores")
    kinds = comparisons(source, num)
    scores = {name: bits_per_dim(source.log_prob(x), source.flow.dimensions) for name, x in kinds.items()}
    held_out, order = kinds["test"], np.argsort(scores["test"])
    figure, ((left, best, worst),) = new_figure((14.5, 4.4), columns=3, width_ratios=[1.4, 1, 1])
    ridges(left, scores)
    for axes, chosen, word in ((best, order[:SHOWN], "best"), (worst, order[::-1][:SHOWN], "worst")):
        ends = scores["test"][chosen[[0, -1]]]
        title = f"{word} of {len(held_out)} held out: {ends[0]:.2f} to {ends[1]:.2f} bits/dim"
        draw_panel(axes, Panel(held_out[chosen], source.levels, title=title))
    return to_picture(figure)


def comparisons(source: Source, num: int) -> dict[str, np.ndarray]:
    """{kind: images [n, height, width, channels]}, n the same for all that come from the test split."""
    test = source.examples(num)
    altered, made = (make(test, source.levels, source.seed) for make in (sets.altered, sets.made))
    return {
        "train": source.examples(num, "train"),
        "test": test,
        "test, turned 180°": altered["rotated by 180°"],
        "test, negatives": altered["negatives"],
        **sets.of_one_kind(source, num),
        "uniform noise": made["uniform noise"],
    }


def histograms(scores: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(edges of the bins, {kind: counts}): the same bins for all, evenly spaced in the logarithm."""
    values = np.concatenate(list(scores.values()))
    low, high = values.min(), values.max()
    # A density can exceed 1, and its bits be negative: a model of nearly nothing but background.
    edges = np.geomspace(low / 1.02, high * 1.02, 121) if low > 0 else np.linspace(low - 0.1, high + 0.1, 121)
    return edges, {kind: np.histogram(each, edges)[0] for kind, each in scores.items()}


def ridges(axes: Axes, scores: dict[str, np.ndarray]) -> None:
    """A histogram a row, all over the same bits/dim."""
    from matplotlib.ticker import LogLocator

    edges, counts = histograms(scores)
    kinds = list(reversed(scores))
    for row, kind in enumerate(kinds):
        height = row + 0.85 * counts[kind] / counts[kind].max()
        axes.stairs(height, edges, baseline=row, fill=True, color=f"C{row}", alpha=0.8)
    if edges[0] > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
    axes.set_yticks(np.arange(len(kinds)) + 0.3, [f"{k}\nmean {scores[k].mean():.2f}" for k in kinds], fontsize=8)
    axes.set(xlabel="bits/dim (lower is likelier)", ylim=(-0.05, len(kinds)))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.3)
