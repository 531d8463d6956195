"""A latent variable, and what is emitted given it."""

import functools

import numpy as np
from PIL import Image

from nvp_tf.figures.graphs import Arrow, Node, draw_graph
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

NODES = {
    "z": Node("$z$", (0, 1.6)),
    "x": Node("$x$", (0, 0), "observed"),
    "theta": Node(r"$\theta$", (1.6, 0), "computed"),
}
ARROWS = [Arrow("z", "x", r"$p_\theta(x|z)$", bend=-0.001), Arrow("theta", "x")]


def draw(source: Source | None = None) -> Image.Image:
    """The emission model: a latent z of one dimension, x of two given it, and the density that x has then (figure 4.5).

        z ~ N(0, 1),    x | z ~ N(m(z), s^2 I),    p(x) = integral of p(x | z) p(z) dz

    m(z) is a point of half a circle, so without the noise s all x would lie on a line and have no density. Computed
    by the VAE's own decoder, prior and likelihood.

    Args:
      source: not read.
    """
    del source
    x, y, log_p, curve, samples = values()
    figure, (places,) = new_figure((12, 3.9), columns=3, width_ratios=[0.8, 1.25, 1.1])
    graph, density, drawn = places
    draw_graph(graph, NODES, ARROWS)
    graph.set_title("graphical model", fontsize=11)
    filled = density.contourf(x, y, log_p, levels=np.linspace(-12, 1, 14), cmap="viridis", extend="min")
    figure.colorbar(filled, ax=density, label="log p(x), nats")
    density.set_title("its density, by integrating over z", fontsize=11)
    drawn.scatter(*samples.T, s=4, color="tab:blue", linewidths=0, label="x ~ p(x | z)")
    drawn.set_title("draws", fontsize=11)
    for axes in (density, drawn):
        axes.plot(*curve.T, color="tab:red", linewidth=1.2, label="m(z), z from -3 to 3")
        axes.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), aspect="equal")
    drawn.legend(fontsize=8, loc="lower center")
    return to_picture(figure)


@functools.cache
def values() -> tuple[np.ndarray, ...]:
    """(x [n], y [m], log p [m, n] nats by quadrature over z, m(z) [100, 2], samples [1000, 2])."""
    import tensorflow as tf

    from nvp_tf.densities.worked_example import arc

    vae = arc()
    x, y = np.linspace(-1.6, 1.6, 97), np.linspace(-0.6, 1.6, 67)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    z = np.linspace(-4, 4, 321)  # a step of a twelfth of s along the circle at most
    log_joint = tf.function(lambda one: vae.log_joint(points, tf.fill([len(points), 1], one)), autograph=False)
    log_p = np.logaddexp.reduce([log_joint(tf.constant(one)).numpy() for one in z]) + np.log(z[1] - z[0])
    curve = vae.likelihood.mean(vae.decoder(tf.constant(np.linspace(-3, 3, 100)[:, None]))).numpy()
    samples = vae.sample(1000, tf.constant([0, 0], tf.int64)).numpy()
    return x, y, log_p.reshape(len(y), len(x)), curve, samples
