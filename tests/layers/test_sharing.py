"""Layers that share a graph: what each computes, learns and moves is its own."""

import numpy as np
import tensorflow as tf
from cases import randomize

from nvp_tf.config.schema import ModelConfig, PixelsConfig, RealNVPConfig
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
