"""The Real NVPs of the thesis at their full size: their shapes, and the way there and back in float32."""

import math
import re

import numpy as np
import pytest
from cases import parts, randomize

from nvp_tf.config.presets.registry import PRESETS
from nvp_tf.layers.chain import FactorOut
from nvp_tf.layers.coupling import Coupling
from nvp_tf.models.build import build

# (couplings; shapes of checkerboard couplings, then of channel couplings, at each scale; latents left behind by each)
SHAPES = {
    "realnvp_cifar10": (10, [(32, 32, 3), (16, 16, 6)], [(16, 16, 12)], [1536, 1536]),
    "realnvp_imagenet32": (
        22,
        [(32, 32, 3), (16, 16, 6), (8, 8, 12), (4, 4, 24)],
        [(16, 16, 12), (8, 8, 24), (4, 4, 48)],
        [1536, 768, 384, 384],
    ),
    "realnvp_imagenet64": (
        28,
        [(64, 64, 3), (32, 32, 6), (16, 16, 12), (8, 8, 24), (4, 4, 48)],
        [(32, 32, 12), (16, 16, 24), (8, 8, 48), (4, 4, 96)],
        [6144, 3072, 1536, 768, 768],
    ),
}


def shapes(flow, kind):
    """{scale: event shape} of its couplings of a kind."""
    found = {}
    for part in parts(flow):
        match = re.fullmatch(rf"scale_(\d)_{kind}_\d", part.name)
        if match and isinstance(part, Coupling):
            shape = found.setdefault(int(match[1]), part.event_shape)
            assert shape == part.event_shape
    return [found[scale] for scale in sorted(found)]


LARGE = ("realnvp_imagenet64", "realnvp_imagenet32")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LARGE)) for n in SHAPES])
def test_shapes_at_every_scale(name):
    flow = build(PRESETS[name].config.model)
    couplings, checkerboards, channels, latents = SHAPES[name]
    assert sum(isinstance(part, Coupling) for part in parts(flow)) == couplings
    assert shapes(flow, "checkerboard") == checkerboards
    assert shapes(flow, "channel") == channels
    left = sorted((math.prod(p.event_shape) // 2 for p in parts(flow) if isinstance(p, FactorOut)), reverse=True)
    assert [*left, left[-1]] == latents and sum(latents) == flow.dimensions
    assert flow.latent_shape == flow.event_shape


def test_there_and_back():
    flow = randomize(build(PRESETS["realnvp_imagenet32"].config.model), spread=0.8)
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
