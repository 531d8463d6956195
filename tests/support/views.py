"""TFP distributions of one flow, made in several ways, which tests ask alike."""

import functools

import pytest
import tensorflow as tf
from cases import ModelCase

from nvp_tf.config.schema import VectorRealNVPConfig
from nvp_tf.models.tfp_views import as_bijector, as_distribution, tfb, tfd

BOUND = {"rtol": 0, "atol": 1e-9}
TINY = ModelCase((3,), VectorRealNVPConfig(2, 1, 4, batch_norm=True))
traced = functools.partial(tf.function, autograph=False)
EAGER_AND_GRAPH = pytest.mark.parametrize("wrap", [lambda f: f, traced], ids=["eager", "graph"])


def chain_of_views(flow):
    """The model out of TFP's parts: one view a layer, TFP's Chain, TFP's prior."""
    chain = tfb.Chain([as_bijector(layer) for layer in flow.bijector.layers])
    return tfd.TransformedDistribution(as_distribution(flow).distribution, chain)


def twice_inverted(flow):
    base = as_distribution(flow).distribution
    return tfd.TransformedDistribution(base, tfb.Invert(tfb.Invert(as_bijector(flow))))


MAKERS = {"distribution": as_distribution, "invert": twice_inverted, "chain": chain_of_views}
EVERY_MAKER = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def direct(flow, v):
    """log p(v), past the views."""
    z, log_det = flow.bijector.forward(v)
    return flow.prior.log_prob(z) + log_det
