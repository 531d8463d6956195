"""The same function, near and far from the weights that make it constant."""

import numpy as np
from PIL import Image

from nvp_tf.figures.homogeneity import TARGET, loss
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

EPSILON = 0.5
THETA = np.array([0.8, 1.25])
ALPHA = 1.25 * THETA[1] / EPSILON  # above ||theta_2|| / epsilon


def highest(centre: np.ndarray) -> tuple[np.ndarray, float]:
    """(point, (L - L(centre)) / (1 + L(centre))) of the largest loss in the ball of radius epsilon, by a polar grid."""
    radius, angle = np.meshgrid(np.linspace(0, EPSILON, 101), np.linspace(0, 2 * np.pi, 721))
    points = centre[:, None, None] + radius * np.stack([np.cos(angle), np.sin(angle)])
    values = loss(*points)
    place = np.unravel_index(values.argmax(), values.shape)
    start = float(loss(*centre))
    return points[:, *place], float((values.max() - start) / (1 + start))


def draw(source: Source | None = None) -> Image.Image:
    """Two equal balls about two weights of one function: only one reaches the constant function (figure 3.4).

    The cross is the largest loss in each ball, found on a polar grid; its epsilon-sharpness is written beside it. Where
    theta_2 = 0 the output is 0 for every input.

    Args:
      source: not read; the network is the same for every run.
    """
    del source
    figure, ((axes,),) = new_figure((8.4, 5))
    theta_1 = np.linspace(0.35, 3.8, 300)
    axes.plot(theta_1, TARGET / theta_1, color="0.5", linewidth=1, label="the same function, loss 0")
    axes.axhline(0, color="black", linewidth=1.5)
    axes.text(0.02, 0.04, "θ₂ = 0: the output is 0", fontsize=9)
    circle = np.linspace(0, 2 * np.pi, 200)
    points = {"θ": (THETA, "tab:green"), "θ' = $T_α$θ": (THETA * [ALPHA, 1 / ALPHA], "tab:red")}
    for name, (centre, colour) in points.items():
        at, sharpness = highest(centre)
        axes.plot(centre[0] + EPSILON * np.cos(circle), centre[1] + EPSILON * np.sin(circle), color=colour)
        axes.plot(*centre, "o", color=colour, markersize=5)
        axes.plot(*at, "x", color=colour, markersize=8, markeredgewidth=2)
        words = f"{name}: {centre[1]:.2f} from the axis\nε-sharpness {sharpness:.3f}"
        axes.annotate(
            words, (centre[0], centre[1] + EPSILON), (0, 5), textcoords="offset points", ha="center", fontsize=9
        )
    axes.set(xlabel="θ₁", ylabel="θ₂", aspect="equal", xlim=(0, 3.8), ylim=(-0.3, 2.2))
    axes.set_title(f"α = {ALPHA:g}, ε = {EPSILON}; constant output 0: loss {float(loss(0.0, 0.0)):.3f}", fontsize=10)
    axes.legend(fontsize=9, loc="upper right")
    return to_picture(figure)
