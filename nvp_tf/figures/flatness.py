"""Two readings of flatness on one curve."""

import numpy as np
from PIL import Image
from scipy.optimize import brentq

from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

EPSILON = 0.35
REACH = (-2.6, 1.9)


def loss(theta: np.ndarray | float) -> np.ndarray:
    """A convex loss with its minimum, 0, at 0; steeper to the right."""
    return np.exp(0.8 * theta) - 0.8 * theta - 1


def connected_set(epsilon: float) -> tuple[float, float]:
    """The ends of C(L, 0, epsilon), where the loss is epsilon."""
    return tuple(brentq(lambda t: loss(t) - epsilon, *ends) for ends in ((-5.0, 0.0), (0.0, 5.0)))


def draw(source: Source | None = None) -> Image.Image:
    """Volume epsilon-flatness and epsilon-sharpness of one minimum (figure 3.1).

    Left a box of height epsilon: its width is the volume of the connected set with L < L(theta) + epsilon. Right a box
    of width 2 epsilon: its height is the largest loss within epsilon of the minimum. Both are computed from the curve.

    Args:
      source: not read; the curve is the same for every run.
    """
    del source
    figure, (places,) = new_figure((9, 3.6), columns=2)
    theta = np.linspace(*REACH, 400)
    left, right = connected_set(EPSILON)
    highest = max(loss(-EPSILON), loss(EPSILON))  # convex: at an end
    boxes = [
        (left, right, EPSILON, f"height ε = {EPSILON}: width {right - left:.3f}, the ε-flatness"),
        (-EPSILON, EPSILON, highest, f"width 2ε = {2 * EPSILON}: height {highest:.4f}, the ε-sharpness"),
    ]
    for axes, (start, end, height, title) in zip(places, boxes, strict=True):
        axes.plot(theta, loss(theta), color="black")
        axes.fill([start, end, end, start], [0, 0, height, height], color="tab:red", alpha=0.35, linewidth=0)
        axes.plot([start, end], [height, height], color="tab:purple", linewidth=2)
        axes.plot(0, 0, "o", color="black", markersize=4)
        axes.set(xlabel="θ", ylabel="loss", ylim=(-0.05, 1.2))
        axes.set_title(title, fontsize=10)
    return to_picture(figure)
