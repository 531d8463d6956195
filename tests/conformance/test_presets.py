"""Each preset at its full size: it is the same after JSON, takes a training step, and gives integers back exactly."""

import dataclasses

import numpy as np
import pytest
from cases import PRESET_PARAMETERS, randomize

from nvp_tf.config.presets.registry import PRESETS, TABLE_5_1, TABLE_5_2
from nvp_tf.config.schema import Config
from nvp_tf.training.state import TrainingState

# Presets that share a model are one case, by the name of the first.
MODELS = {}
for name, preset in PRESETS.items():
    MODELS.setdefault(preset.config.model, []).append(name)
SLOW = {
    *("nice_tfd", "nice_svhn", "nice_cifar10", "realnvp_imagenet64", "realnvp_imagenet32", "realnvp_cifar10"),
    *("realnvp_photos", "realnvp_folder"),
}
CASES = [pytest.param(names, id=names[0], marks=[pytest.mark.slow] * (names[0] in SLOW)) for names in MODELS.values()]


@pytest.mark.parametrize("names", CASES)
def test_full_size(names):
    config = PRESETS[names[0]].config
    # The average doubles the memory and has no part in a step.
    state = TrainingState(dataclasses.replace(config, train=dataclasses.replace(config.train, ema_decay=0.0)))
    flow = state.flow
    for name in names:
        assert flow.parameters == PRESET_PARAMETERS[name]

    rng = np.random.default_rng(0)
    if flow.pixels is None:
        x = rng.standard_normal((2, *flow.event_shape)).astype("float32")
    else:
        x = rng.integers(0, flow.pixels.levels, (2, *flow.event_shape)).astype("uint8")
    noise = rng.uniform(size=x.shape).astype("float32")
    before = [weight.numpy() for weight in flow.trainable_variables[:3]]
    loss, norm = state.replica_step({"x": x, "noise": noise})
    assert np.isfinite(loss) and np.isfinite(norm) and norm > 0
    assert state.optimizer.iterations == 1
    moved = [(old != new).any() for old, new in zip(before, flow.trainable_variables[:3], strict=True)]
    assert any(moved) or flow.trainable_variables[-1].numpy().any()

    randomize(flow, spread=0.3)
    if flow.pixels is None:
        np.testing.assert_allclose(flow.decode(flow.encode(x)), x, atol=1e-5)
    else:
        np.testing.assert_array_equal(flow.decode(flow.encode(x)), x)
    assert np.isfinite(flow.log_prob(x)).all()


def test_the_same_after_json():
    for name, preset in PRESETS.items():
        assert Config.from_json(preset.config.to_json()) == preset.config, name


def test_thesis_presets_carry_published_scores():
    for name in TABLE_5_1 | TABLE_5_2:
        published = PRESETS[name].published
        assert 2 < published.test < 5 and (published.train is None or published.train < published.test), name
        assert f"{published.test:.2f} bits/dim" in PRESETS[name].expected, name


@pytest.mark.parametrize("name", TABLE_5_1)
def test_published_log_likelihoods_are_the_published_bits(name):
    """Both printed in table 5.1: the two go together only if the range's width is counted (7 bits for [-1, 1])."""
    from nvp_tf.layers.pixels import Pixels
    from nvp_tf.models.objectives import bits_per_dim

    model, published = PRESETS[name].config.model, PRESETS[name].published
    pixels = Pixels(model.pixels.levels, model.pixels.range, model.pixels.alpha)
    pixels.build((None, *model.event_shape))
    # The thesis gives densities on the pixels' range; ours are of the integers.
    _, log_det = pixels.forward(np.zeros((1, *model.event_shape), "float32"))
    ours = bits_per_dim(published.log_prob + log_det, int(np.prod(model.event_shape)))
    assert round(float(ours[0]), 2) == published.test
