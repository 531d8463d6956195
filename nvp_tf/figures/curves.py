"""How a run went."""

import numpy as np

from nvp_tf.figures.layout import new_figure, to_picture
from nvp_tf.figures.source import Unfit


def draw(source):
    """Training and validation scores of the run, by step and by minute.

    The training score is the mean over the steps since the point before, with batch statistics and without the
    moving average of the weights; the validation score is that of the averaged weights where they are kept. So
    the two need not meet where nothing is overfitted.
    """
    rows = source.run.read_evaluations()
    if not rows:
        raise Unfit(f"curves needs a run that was evaluated, {source.run.path} has no validation score yet")
    discrete = source.config.model.pixels is not None
    key, sign, unit = ("bits_per_dim", 1, "bits/dim") if discrete else ("log_prob", -1, "-log-density, nats")
    steps, minutes = (np.array([row[name] for row in rows]) for name in ("step", "minutes"))
    figure, ((axes,),) = new_figure((6.5, 4))
    for part, style in (("train", "-"), ("valid", "o-")):
        axes.plot(steps, [sign * row[f"{part}_{key}"] for row in rows], style, markersize=3, label=part)
    best = int(np.argmax([row["valid_log_prob"] for row in rows]))
    score = sign * rows[best][f"valid_{key}"]
    axes.axhline(score, color="0.7", linewidth=0.8, zorder=0)
    axes.set(xlabel="step", ylabel=unit, title=f"best validation {score:.3f} at step {steps[best]:,.0f}")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend()
    # Minutes do not grow evenly with steps: a machine is never as quiet as the hour before.
    ticks = np.unique(np.linspace(0, len(rows) - 1, 5).round().astype(int))
    above = axes.secondary_xaxis("top")
    above.set_xticks(steps[ticks], [f"{minutes[i]:.{0 if minutes[-1] > 10 else 1}f}" for i in ticks])
    above.set_xlabel("minutes")
    return to_picture(figure)
