"""How a run went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source, Unfit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(source: Source) -> Image.Image:
    """Scores of the run by step and by minute, and below them whether it stayed a bijection.

    The training score is the mean over the steps since the point before, with batch statistics and without the
    moving average of the weights; the validation score is that of the averaged weights where they are kept. So
    the two need not meet where nothing is overfitted. Dotted lines are where the run diverged, and was taken up
    again from an earlier step with a lower learning rate.

    Below, on the first held-out examples: the largest error of data -> latents -> data, in levels (for vectors in
    standard deviations), and the largest difference of the two directions' log-determinants, in bits/dim. A run
    ends at the bounds of `nvp_tf/health.py`.
    """
    run, rows = source.run, source.run.read_evaluations()
    if not rows:
        raise Unfit(f"curves needs a run that was evaluated, {run.path} has no validation score yet")
    steps = np.array([row["step"] for row in rows])
    healthy = "round_trip_error" in rows[-1]
    figure, axes = new_figure((6.5, 6 if healthy else 4), rows=1 + healthy, height_ratios=[2, 1][: 1 + healthy])
    _draw_scores(axes[0, 0], rows, steps, source.config.model.event.is_image)
    if healthy:
        _draw_health(axes[1, 0], rows, steps)
    for place in axes[:, 0]:
        place.xaxis.set_major_formatter("{x:,.0f}")
        place.legend(fontsize=8)
        for rollback in run.rollbacks:
            place.axvline(rollback["step"], color="tab:red", linewidth=0.8, linestyle=":", zorder=0)
    axes[-1, 0].set_xlabel("step")
    return to_picture(figure)


def _draw_scores(axes: Axes, rows: list[dict], steps: np.ndarray, discrete: bool) -> None:
    key, sign, unit = ("bits_per_dim", 1, "bits/dim") if discrete else ("log_prob", -1, "-log-density, nats")
    minutes = np.array([row["minutes"] for row in rows])
    for part, style in (("train", "-"), ("valid", "o-")):
        axes.plot(steps, [sign * row[f"{part}_{key}"] for row in rows], style, markersize=3, label=part)
    best = int(np.argmax([row["valid_log_prob"] for row in rows]))
    score = sign * rows[best][f"valid_{key}"]
    axes.axhline(score, color="0.7", linewidth=0.8, zorder=0)
    axes.set(ylabel=unit, title=f"best validation {score:.3f} at step {steps[best]:,.0f}")
    # Minutes do not grow evenly with steps: a machine is never as quiet as the hour before.
    ticks = np.unique(np.linspace(0, len(rows) - 1, 5).round().astype(int))
    above = axes.secondary_xaxis("top")
    above.set_xticks(steps[ticks], [f"{minutes[i]:.{0 if minutes[-1] > 10 else 1}f}" for i in ticks])
    above.set_xlabel("minutes")


def _draw_health(axes: Axes, rows: list[dict], steps: np.ndarray) -> None:
    for name, style in (("round_trip_error", "s-"), ("log_det_error", "^-")):
        # An error of 0 has no place on a logarithmic axis.
        axes.plot(steps, [row[name] or np.nan for row in rows], style, markersize=3, label=name.replace("_", " "))
    axes.set(yscale="log", ylabel="float32 error")
