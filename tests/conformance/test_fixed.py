"""A fixed copy of every case gives what the case gives, with no weight that is trained for another to be made of it."""

import numpy as np
import pytest
from cases import F64, MODELS, case, has_convolutions

from nvp_tf.layers.fixed import fixed
from nvp_tf.layers.networks import ResidualConvNet


@pytest.mark.parametrize("name", MODELS)
def test_fixed(name):
    flow = MODELS[name].shared
    copy, again = flow.fixed(), flow.fixed().fixed()
    x = flow.sample(3)
    for one in (copy, again):
        np.testing.assert_allclose(one.log_prob(x), flow.log_prob(x), rtol=1e-9)
        np.testing.assert_allclose(one.encode(x), flow.encode(x), rtol=1e-9, atol=1e-9)
    assert (len(copy.variables) < len(flow.variables)) == has_convolutions(flow)
    if has_convolutions(flow):
        with pytest.raises(ValueError, match="is fixed, expected training=False"):
            copy.log_prob(x, training=True)


@pytest.mark.parametrize("blocks", range(4))
def test_fixed_network(blocks):
    """Which skips meet in one kernel depends on how many blocks there are."""
    made = case(lambda: ResidualConvNet(4, blocks, 3, **F64), (4, 3, 2))
    np.testing.assert_allclose(fixed(made.shared)(made.inputs()), made.shared(made.inputs()), rtol=1e-9, atol=1e-12)
