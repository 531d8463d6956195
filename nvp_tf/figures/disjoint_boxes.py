"""Boxes of one volume, one beside the other without end, in which the loss is nearly the same."""

import numpy as np
from PIL import Image

from nvp_tf.figures.homogeneity import loss
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

CENTRE, RADIUS, BOXES = (1.0, 1.0), 0.2, 3


def boxes() -> list[tuple[np.ndarray, np.ndarray]]:
    """(lower, upper) corners of B, T_alpha B, T_alpha^2 B, ..., alpha = 2 (M + r) / (M - r)."""
    alpha = 2 * (CENTRE[0] + RADIUS) / (CENTRE[0] - RADIUS)
    lower, upper = np.subtract(CENTRE, RADIUS), np.add(CENTRE, RADIUS)
    scales = [np.array([alpha**k, alpha**-k]) for k in range(BOXES)]
    return [(lower * scale, upper * scale) for scale in scales]


def highest_loss(lower: np.ndarray, upper: np.ndarray) -> float:
    """The largest loss in a box, over a grid of it."""
    sides = [np.linspace(a, b, 50) for a, b in zip(lower, upper, strict=True)]
    return float(loss(*np.meshgrid(*sides)).max())


def draw(source: Source | None = None) -> Image.Image:
    """Disjoint boxes of equal area, made from one by the alpha-scale, with equal losses (figure 3.3).

    Written at each: its area, and the largest loss in it, over a grid. There is no last one: the set where the loss is
    below epsilon has infinite volume.

    Args:
      source: not read; the network is the same for every run.
    """
    del source
    figure, ((axes,),) = new_figure((9.5, 3.8))
    theta_1 = np.linspace(0.5, 11.5, 400)
    axes.plot(theta_1, CENTRE[0] * CENTRE[1] / theta_1, color="0.5", linewidth=1, label="θ₁θ₂ = 1: the minimum")
    for k, (lower, upper) in enumerate(boxes()):
        (left, bottom), (right, top) = lower, upper
        axes.fill([left, right, right, left], [bottom, bottom, top, top], color=f"C{k}", alpha=0.45)
        name = ("B", "$T_α$B", "$T_α^2$B")[k]
        area, highest = float(np.prod(upper - lower)), highest_loss(lower, upper)
        place = ((left + right) / 2, top)
        axes.annotate(f"{name}: area {area:.3f}\nloss < {highest:.4f}", place, (0, 6), textcoords="offset points",
                      ha="center", fontsize=9)  # fmt: skip
    axes.set(xlabel="θ₁", ylabel="θ₂", xlim=(0, 11.5), ylim=(0, 1.75))
    axes.legend(fontsize=9, loc="upper right")
    return to_picture(figure)
