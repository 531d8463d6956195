"""The Real NVP of the thesis for 32x32 photographs, at its full size, in float32."""

import re

import numpy as np
from cases import parameters, parts, randomize

from nvp_tf.config import ModelConfig, PixelsConfig, RealNVPConfig
from nvp_tf.layers.coupling import Coupling
from nvp_tf.models.build import build


def test_full_size():
    flow_config = RealNVPConfig(scales=4, couplings=3, filters=32, blocks=4)
    flow = build(ModelConfig((32, 32, 3), flow_config, PixelsConfig(256)))
    assert sum(isinstance(part, Coupling) for part in parts(flow)) == 22
    assert parameters(flow) == 46_220_359
    randomize(flow, spread=0.8)

    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    v = flow.pixels.dequantize(x, flow.noise_pattern())
    z, log_det = flow.bijector.forward(v)
    back, inverse_log_det = flow.bijector.inverse(z)
    # Through the logit and 22 couplings and back: as shares of the 256 levels, and as the couplings' reals in +-2.94.
    np.testing.assert_allclose(back / 256, v / 256, rtol=0, atol=1e-4)
    np.testing.assert_allclose(flow.pixels.forward(back)[0], flow.pixels.forward(v)[0], rtol=0, atol=1e-4)
    np.testing.assert_allclose(inverse_log_det / flow.dimensions, -log_det / flow.dimensions, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(flow.decode(flow.encode(x)), x)

    # Every coupling changes the volume, or there is nothing to invert.
    is_coupling = re.compile(r"(checkerboard|channel)_\d$").search
    moved = [np.abs(d).max() for name, d in flow.bijector.log_dets(v) if is_coupling(name)]
    assert len(moved) == 22 and min(moved) > 1
