"""Each preset builds at full size, gives integers back exactly, and is the same after JSON."""

import numpy as np
import pytest
from cases import PRESET_PARAMETERS, parameters, randomize

from nvp_tf.config import Config
from nvp_tf.models.build import build
from nvp_tf.presets import PRESETS


@pytest.mark.parametrize("name", PRESET_PARAMETERS)
def test_preset(name):
    config = PRESETS[name].config
    assert Config.from_json(config.to_json()) == config
    flow = randomize(build(config.model), spread=0.3)
    assert parameters(flow) == PRESET_PARAMETERS[name]
    rng = np.random.default_rng(0)
    if flow.pixels is None:
        x = rng.standard_normal((2, *flow.event_shape)).astype("float32")
        np.testing.assert_allclose(flow.decode(flow.encode(x)), x, atol=1e-5)
    else:
        x = rng.integers(0, flow.pixels.levels, (2, *flow.event_shape)).astype("uint8")
        np.testing.assert_array_equal(flow.decode(flow.encode(x)), x)
    assert np.isfinite(flow.log_prob(x)).all()
