"""Layers that share a graph: what each computes, learns and moves is its own."""

import numpy as np
import tensorflow as tf
from cases import randomize

from nvp_tf.config.schema import ModelConfig, PixelsConfig, RealNVPConfig
from nvp_tf.layers import masks
from nvp_tf.layers.coupling import Affine, Coupling
from nvp_tf.layers.residual_network import ResidualConvNet
from nvp_tf.layers.sharing import CALLED, sharing
from nvp_tf.models.build import build

X = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 2)).astype("uint8")


def step(couplings, how):
    """(log_prob, gradients, running statistics after it; how many functions the graph calls)."""
    flow_config = RealNVPConfig(scales=1, couplings=couplings, filters=3, blocks=1)
    flow = randomize(build(ModelConfig((4, 4, 2), flow_config, PixelsConfig())), spread=0.5)

    @tf.function(autograph=False)
    @sharing(how)
    def both():
        with tf.GradientTape() as tape:
            log_prob = flow.log_prob(X, training=True)
        return log_prob, *tape.gradient(log_prob, [weight.value for weight in flow.trainable_weights])

    found = [*both(), *flow.non_trainable_weights]
    graph = both.get_concrete_function().graph.as_graph_def()
    return found, len(graph.library.function)


def test_each_has_its_own_weights_and_all_have_one_graph():
    (plain, none), (found, few), (_, as_few) = step(3, ""), step(3, CALLED), step(1, CALLED)
    assert none == 0 < few == as_few
    for a, b in zip(plain, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4 * np.abs(a).max())


def test_couplings_of_opposite_masks_have_one_graph():
    both = [masks.channel(4, 4, 2, swap) for swap in (False, True)]
    layers = [Coupling(mask, ResidualConvNet(3, 1, outputs=2), Affine()) for mask in both]
    for seed, layer in enumerate(layers):
        layer.build((None, 4, 4, 2))
        randomize(layer, seed)
    x = tf.constant(X[..., :2] / np.float32(256))
    run = tf.function(sharing()(lambda x: [layer.forward(x) for layer in layers]), autograph=False)
    assert len(run.get_concrete_function(x).graph.as_graph_def().library.function) == 1
    for layer, (y, log_det) in zip(layers, run(x), strict=True):
        plain, plain_log_det = layer.forward(x)
        np.testing.assert_allclose(y, plain, atol=1e-5)
        np.testing.assert_allclose(log_det, plain_log_det, atol=1e-4)
