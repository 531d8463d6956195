"""The two weights of one rectified unit, and the functions that they make."""

import numpy as np
from PIL import Image

from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

PRODUCTS = (0.25, 0.5, 1.0, 2.0, 4.0)
TARGET = 1.0  # the product that generated the data
SIDE = 4.0


def loss(theta_1: np.ndarray | float, theta_2: np.ndarray | float) -> np.ndarray:
    """Mean of (relu(x theta_1) theta_2 - relu(x) TARGET)^2 over 101 inputs, for arrays of weights."""
    x = np.linspace(-1, 1, 101)
    y = np.maximum(np.multiply.outer(theta_1, x), 0) * np.asarray(theta_2)[..., None]
    return ((y - np.maximum(x, 0) * TARGET) ** 2).mean(axis=-1)


def draw(source: Source | None = None) -> Image.Image:
    """Level curves of the loss of y = relu(x theta_1) theta_2: along each, one and the same function (figure 3.2).

    The loss is that of 101 inputs, computed at each point of a grid. Each colour is one function; the steps of the
    function between neighbouring curves are the same everywhere, the distances between the curves are not.

    Args:
      source: not read; the network is the same for every run.
    """
    del source
    from matplotlib import colormaps

    figure, ((axes,),) = new_figure((5.6, 5))
    side = np.linspace(0.01, SIDE, 300)
    theta_1, theta_2 = np.meshgrid(side, side)
    # A contour of theta_1 theta_2 drawn from the loss: on each side of the minimum, the loss tells the product.
    signed = np.sqrt(loss(theta_1, theta_2)) * np.sign(theta_1 * theta_2 - TARGET)
    levels = [float(np.sqrt(loss(p, 1.0)) * np.sign(p - TARGET)) for p in PRODUCTS]
    colours = [colormaps["viridis"](t) for t in np.linspace(0, 0.9, len(levels))]
    curves = axes.contour(theta_1, theta_2, signed, levels=levels, colors=colours, linewidths=2, linestyles="solid")
    words = {
        level: f"θ₁θ₂ = {product:g}, loss {loss(product, 1.0):.3f}"
        for level, product in zip(levels, PRODUCTS, strict=True)
    }
    handles = curves.legend_elements()[0]
    axes.legend(handles, words.values(), fontsize=8, loc="upper right")
    axes.set(xlabel="θ₁", ylabel="θ₂", aspect="equal", xlim=(0, SIDE), ylim=(0, SIDE))
    return to_picture(figure)
