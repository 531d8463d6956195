"""The pictures of a comparison: how good for how long, samples side by side, densities in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nvp_tf.densities.conversion import bits_per_dim
from nvp_tf.densities.table import Line
from nvp_tf.event import Event
from nvp_tf.pictures.layout import Panel, draw_panel, new_figure, to_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = {"exact": "o", "bound": "^", "estimate": "s"}
_ACROSS = 4  # panels a row
_SHOWN = 25  # images of a panel
_DEEPEST = 10.0  # nats below a density's maximum that are shown
_SCATTERED = 500


def unit(event: Event) -> str:
    """Of a score."""
    return "bits/dim" if event.is_image else "log-density (nats)"


def against_scoring(found: list[Line], event: Event) -> Image.Image:
    """Each line's score against the seconds that one takes in a batch: exact, bound and estimate by their markers."""
    figure, ((axes,),) = new_figure((8, 5))
    shown = []
    for i, line in enumerate(found):
        nats, rate = line.mean("log_prob"), line.mean("score_per_second")
        if nats is None or rate is None:
            continue
        shown.append(nats)
        marker = _MARKERS[line.done[0]["kind"]]
        axes.plot(
            1 / rate, _score(nats, event), marker, color=f"C{i % 10}", label=f"{line.name} ({line.kind})", markersize=9
        )
    axes.set(xscale="log", xlabel="seconds for one score, in a batch", ylabel=unit(event))
    _finish(axes, shown, event)
    return to_picture(figure)


def against_training(found: list[Line], event: Event) -> Image.Image:
    """Validation scores of each line's first seed against the minutes of training."""
    figure, ((axes,),) = new_figure((8, 5))
    best = []
    for i, line in enumerate(found):
        curve = [row for row in line.done[0]["curve"] if np.isfinite(row["valid"])] if line.done else []
        if not curve:
            continue
        minutes = [row["seconds"] / 60 for row in curve]
        scores = [_score(row["valid"], event) for row in curve]
        axes.plot(minutes, scores, color=f"C{i % 10}", label=line.name, linestyle="-" if i < 10 else "--")
        best.append(max(row["valid"] for row in curve))
    axes.set(xscale="log", xlabel="minutes of training", ylabel=f"{unit(event)}, validation")
    _finish(axes, best, event)
    return to_picture(figure)


def samples(found: list[Line], drawn: dict[str, np.ndarray], test: np.ndarray, levels: int) -> Image.Image:
    """Test images and each line's samples, side by side.

    Args:
      drawn: name -> uint8 [n, H, W, C].
    """
    panels = {"test images": test} | {line.name: drawn[line.name] for line in found if line.name in drawn}
    rows = -(-len(panels) // _ACROSS)
    figure, places = new_figure((3 * _ACROSS, 3.2 * rows), rows, _ACROSS)
    for axes in places.flat:
        axes.axis("off")
    for axes, (name, images) in zip(places.flat, panels.items(), strict=False):
        axes.axis("on")
        draw_panel(axes, Panel(images[:_SHOWN], levels, title=name))
    return to_picture(figure)


def densities(found: list[Line], drawn: dict[str, dict[str, np.ndarray]], test: np.ndarray) -> Image.Image:
    """Test points, and each line's log-density in the plane with its samples, all in the same colours.

    Args:
      drawn: name -> {"first", "second", "log_prob"} and perhaps "samples".
    """
    shown = [line.name for line in found if line.name in drawn]
    grids = [drawn[name] for name in shown]
    highest = max(np.nanmax(grid["log_prob"][np.isfinite(grid["log_prob"])]) for grid in grids)
    rows = -(-(len(shown) + 1) // _ACROSS)
    figure, places = new_figure((3.2 * _ACROSS, 3.2 * rows), rows, _ACROSS)
    for axes in places.flat:
        axes.axis("off")
    first, second = grids[0]["first"], grids[0]["second"]
    limits = {"xlim": (first[0], first[-1]), "ylim": (second[0], second[-1])}
    places.flat[0].axis("on")
    places.flat[0].scatter(*test[:_SCATTERED].T, s=3, color="black")
    places.flat[0].set(title="test points", **limits)
    for axes, name, grid in zip(places.flat[1:], shown, grids, strict=False):
        axes.axis("on")
        log_prob = np.clip(np.nan_to_num(grid["log_prob"], nan=-np.inf), highest - _DEEPEST, highest)
        image = axes.pcolormesh(first, second, log_prob, vmin=highest - _DEEPEST, vmax=highest, rasterized=True)
        if "samples" in grid:
            axes.scatter(*grid["samples"].T, s=2, color="white", alpha=0.7)
        axes.set(title=name, **limits)
    figure.colorbar(image, ax=places, label="log-density (nats)", shrink=0.8)
    return to_picture(figure)


def _score(nats: float, event: Event) -> float:
    return float(bits_per_dim(nats, event.dimensions)) if event.is_image else nats


def _finish(axes: Axes, nats: list[float], event: Event) -> None:
    """A legend, and limits that one bad row does not decide."""
    scores = sorted((_score(value, event) for value in nats), reverse=not event.is_image)
    if scores:
        best, middle = scores[0], scores[len(scores) // 2]
        worst = abs(scores[-1] - best)
        reach = 1.1 * max(1e-3, min(3 * abs(middle - best) or worst, worst))
        ends = (best - 0.1 * reach, best + reach) if event.is_image else (best - reach, best + 0.1 * reach)
        axes.set(ylim=ends)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
