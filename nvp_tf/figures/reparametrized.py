"""One loss in three parametrizations."""

import numpy as np
from PIL import Image

from nvp_tf.flatness.bijective import Power
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

CENTRE = 2 * np.pi / 3  # of a minimum of the loss
MINIMA = (0.0, CENTRE, 2 * CENTRE)
PANELS = {"default": (0.0, 1.0), "sharper at the line": (0.5, 0.02), "flatter at the line": (-0.4, 0.02)}


def loss(theta: np.ndarray) -> np.ndarray:
    """1 - cos 3 theta: curvature 9 at each of its minima."""
    return 1 - np.cos(3 * theta)


def reparametrized(a: float, b: float) -> Power:
    """eta = (|theta - CENTRE|^2 + b)^a (theta - CENTRE) + CENTRE, so that the line stays where it is."""
    layer = Power(a, b, dtype="float64")
    layer.build((None, 1))
    layer.centre.assign([CENTRE])
    return layer


def to_eta(layer: Power, theta: np.ndarray | list[float]) -> np.ndarray:
    """[n] -> [n]."""
    return layer.forward(np.reshape(theta, [-1, 1]))[0].numpy()[:, 0] + CENTRE


def curvature(layer: Power, minimum: float, step: float = 1e-4) -> float:
    """The second difference of the loss as a function of eta, at a minimum."""
    eta = to_eta(layer, [minimum])[0] - CENTRE + np.array([-step, 0, step])
    theta = layer.inverse(eta.reshape(3, 1))[0].numpy()[:, 0]
    return float(np.dot(loss(theta), [1, -2, 1]) / step**2)


def draw(source: Source | None = None) -> Image.Image:
    """One loss in the default and in two other parametrizations: which minimum is flat is a choice (figure 3.5).

    The dots are a regular grid of the default parameter. At each minimum stands its curvature, from second differences
    of the loss in the panel's own parameter, which is eta = (|theta - c|^2 + b)^a (theta - c) + c, c the red line.

    Args:
      source: not read; the loss is the same for every run.
    """
    del source
    figure, (places,) = new_figure((11.5, 3.5), columns=3)
    theta = np.linspace(-np.pi / 3, 5 * np.pi / 3, 2001)
    for axes, (name, (a, b)) in zip(places, PANELS.items(), strict=True):
        layer = reparametrized(a, b)
        axes.axvline(CENTRE, color="tab:red", linewidth=1)
        axes.plot(to_eta(layer, theta), loss(theta), color="black", linewidth=1)
        axes.plot(to_eta(layer, theta[::40]), loss(theta[::40]), "o", color="tab:blue", markersize=3)
        for minimum in MINIMA:
            found = curvature(layer, minimum)
            place = (to_eta(layer, [minimum])[0], 0)
            words = f"{found:.3g}" if found < 100 else f"{found:,.0f}"
            axes.annotate(words, place, (0, -14), textcoords="offset points", ha="center",
                          fontsize=9, color="tab:purple")  # fmt: skip
        axes.margins(x=0.1)
        axes.set(xlabel="η" if a else "θ", ylim=(-0.35, 2.1))
        axes.set_title(f"{name}: a = {a:g}, b = {b:g}" if a else name, fontsize=10)
    places[0].set_ylabel("loss; curvature at its minima")
    return to_picture(figure)
