"""An inference network beside the generator."""

import functools

import numpy as np
from PIL import Image

from nvp_tf.figures.graphs import Arrow, Node, draw_graph
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

NODES = {"z": Node("$z$", (0, 1.7)), "x": Node("$x$", (0, 0), "observed")}
ARROWS = [
    Arrow("z", "x", r"$p_\theta(x|z)$", colour="tab:blue", bend=-0.35),
    Arrow("x", "z", r"$q_\lambda(z|x)$", "--", "tab:red", bend=-0.35),
]
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
EXAMPLES = 2000  # bounds drawn for each count


def draw(source: Source | None = None) -> Image.Image:
    """The Helmholtz machine: q stands for the posterior, and what that costs (figure 4.6).

        ELBO = log p(x) - KL(q(z | x) || p(z | x)) <= L_K = E[log (1/K) sum_k p(x, z_k) / q(z_k | x)] <= log p(x)

    For z ~ N(0, 1), x | z ~ N(z, 1), x = 1.5 and q = N(0.45, 0.8^2) all is known: the posterior is N(0.75, 1/2). The
    bounds are drawn by the program, with 4 standard errors.

    Args:
      source: not read.
    """
    del source
    (z, prior, posterior, q), (log_p, elbo), (bounds, errors) = values()
    figure, (places,) = new_figure((12, 3.9), columns=3, width_ratios=[0.8, 1.1, 1.2])
    graph, beliefs, closing = places
    draw_graph(graph, NODES, ARROWS)
    graph.set_title("generator and inference network", fontsize=11)
    beliefs.plot(z, prior, color="0.6", label="p(z)")
    beliefs.plot(z, posterior, color="tab:blue", label="p(z | x = 1.5)")
    beliefs.plot(z, q, color="tab:red", linestyle="--", label="q(z | x = 1.5)")
    beliefs.set(xlabel="z", ylabel="density", ylim=(0, None))
    beliefs.set_title(f"KL(q || posterior) = {log_p - elbo:.3f} nats", fontsize=11)
    beliefs.legend(fontsize=9)
    closing.axhline(log_p, color="tab:blue", label=f"log p(x) = {log_p:.3f}")
    closing.axhline(elbo, color="tab:red", linestyle=":", label=f"ELBO = {elbo:.3f}")
    closing.errorbar(COUNTS, bounds, 4 * np.array(errors), fmt="o", color="tab:red", markersize=4, capsize=3,
                     label="$L_K$ of draws")  # fmt: skip
    closing.set(xscale="log", xlabel="K", ylabel="nats")
    closing.set_title("importance-weighted bounds", fontsize=11)
    closing.legend(fontsize=9, loc="lower right")
    return to_picture(figure)


@functools.cache
def values() -> tuple[tuple, tuple, tuple]:
    """((z, p(z), p(z | x), q(z | x)) [n] each, (log p(x), ELBO), (L_K, its standard error) of each count)."""
    import tensorflow as tf

    from nvp_tf.densities.bounds import bound
    from nvp_tf.densities.worked_example import MEAN, SCALE, X, conjugate

    vae, z = conjugate(), np.linspace(-2.5, 3, 221)
    x = tf.fill([len(z), 1], tf.constant(X, tf.float64))
    log_joint = vae.log_joint(x, tf.constant(z[:, None])).numpy()
    prior = np.exp(vae.prior.log_prob(tf.constant(z[:, None])).numpy())
    q = np.exp(-0.5 * np.square((z - MEAN) / SCALE)) / (SCALE * np.sqrt(2 * np.pi))
    log_p = -0.5 * np.log(4 * np.pi) - X**2 / 4
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)  # exact for the square that the integrand is
    elbo = weights @ vae.integrand(x[:8], tf.constant(nodes[:, None])).numpy() / weights.sum()
    rows, found = tf.fill([EXAMPLES, 1], tf.constant(X, tf.float64)), []
    for count in COUNTS:

        def log_weights(first: tf.Tensor, end: tf.Tensor, count: int = count) -> tf.Tensor:
            seed = tf.stack([count, first])
            return vae.integrands(rows, tf.random.stateless_normal([end - first, EXAMPLES, 1], seed, dtype=tf.float64))

        found.append(bound(log_weights, EXAMPLES, count, block=100).importance_weighted.numpy())
    means, errors = zip(*((drawn.mean(), drawn.std() / EXAMPLES**0.5) for drawn in found), strict=True)
    return (z, prior, np.exp(log_joint - log_p), q), (log_p, elbo), (means, errors)
