"""Two ways to a gradient through a random variable."""

import functools

import numpy as np
from PIL import Image

from nvp_tf.figures.graphs import Arrow, Node, draw_graph
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

DRAWS = 100_000
COLOURS = {"score_function": "tab:orange", "reparametrized": "tab:blue"}
_COMMON = {"x": Node("$x$", (0, 0), "observed"), "mu": Node(r"$\mu,\sigma$", (0, 1.4), "computed")}
SAMPLED = _COMMON | {"z": Node("$z$", (0, 2.8)), "loss": Node(r"$\log w$", (0, 4.2), "computed")}
TRICK = _COMMON | {
    "eps": Node(r"$\epsilon$", (1.5, 1.4)),
    "z": Node("$z$", (0, 2.8), "computed"),
    "loss": Node(r"$\log w$", (0, 4.2), "computed"),
}
UP = [Arrow("x", "mu"), Arrow("mu", "z"), Arrow("z", "loss")]


def draw(source: Source | None = None) -> Image.Image:
    """The reparametrization trick: z as a function of eps, and how far two gradients scatter (figure 4.7).

        score function:   log w * d log q(z | x) / d mu,    z ~ N(mu, sigma^2)
        reparametrized:   d log w(x, mu + sigma eps) / d mu,    eps ~ N(0, 1),    w = p(x, z) / q(z | x)

    Both have the mean d ELBO / d mu. Squares are computed, circles are random; no gradient goes through a draw of z,
    but through z = mu + sigma eps. Measured by the program for z ~ N(0, 1), x | z ~ N(z, 1), x = 1.5 and
    q = N(0.45, 0.8^2), where the gradient is 0.6.

    Args:
      source: not read.
    """
    del source
    found = values()
    figure, (places,) = new_figure((12, 4.4), columns=3, width_ratios=[0.6, 0.8, 1.5])
    sampled, trick, scatter = places
    draw_graph(sampled, SAMPLED, [*UP, _back("loss", "z")])
    sampled.set_title(r"$z \sim q_\lambda(z|x)$: it ends at z", fontsize=11)
    draw_graph(trick, TRICK, [*UP, Arrow("eps", "z"), _back("loss", "z"), _back("z", "mu")])
    trick.set_title(r"$z = \mu + \sigma\epsilon$: the gradient (red)", fontsize=11)
    edges = np.linspace(-10, 10, 101)
    for name, estimates in found.items():
        label = f"{name.replace('_', ' ')}: {estimates.mean():.3f}, sd {estimates.std():.2f}"
        scatter.hist(estimates, edges, histtype="step", density=True, color=COLOURS[name], linewidth=1.4, label=label)
    scatter.axvline(0.6, color="black", linewidth=0.8, linestyle="--", label="the gradient, 0.6")
    scatter.set(xlabel=r"one draw's estimate of $\partial$ELBO/$\partial\mu$", ylabel="density", xlim=(-10, 10))
    scatter.set_title(f"{DRAWS:,} draws of each estimator", fontsize=11)
    scatter.legend(fontsize=9)
    return to_picture(figure)


def _back(start: str, end: str) -> Arrow:
    """The gradient's way."""
    return Arrow(start, end, colour="tab:red", style="--", bend=0.5)


@functools.cache
def values() -> dict[str, np.ndarray]:
    """Estimator -> its estimates of d ELBO / d mu, [DRAWS]."""
    import tensorflow as tf

    from nvp_tf.densities.gradient_estimators import ESTIMATORS, estimates
    from nvp_tf.densities.worked_example import X, conjugate

    x = tf.constant([[X]], tf.float64)
    # The encoder's weights are a kernel of 2, for x, and then mu and log sigma.
    return {name: np.concatenate(list(estimates(conjugate(), name, x, DRAWS)))[:, 2] for name in ESTIMATORS}
