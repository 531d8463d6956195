"""Figures of images of another size: the same weights, the same numbers where they must be."""

import numpy as np
import pytest
from tiny_source import tiny_source

from nvp_tf.figures import compression, concatenation, enlarged
from nvp_tf.figures.resized import resized, with_own_statistics
from nvp_tf.layers.keras_private import all_layers
from nvp_tf.layers.residual_network import ResidualConvNet
from nvp_tf.models import scales
from nvp_tf.runs.source import Unfit

SCALES = ["realnvp_grey", "realnvp_packed_colour", "realnvp_three_scales", "realnvp_no_batch_norm"]


@pytest.mark.parametrize("name", SCALES)
def test_factor_one_is_the_plain_sample(name, monkeypatch):
    source = tiny_source(monkeypatch, name, seed=4)
    np.testing.assert_array_equal(enlarged.enlarge(source, 1.0, 2), source.flow.sample(2, seed=4))


@pytest.mark.parametrize("name", SCALES)
def test_every_weight_carries_over(name, monkeypatch):
    source = tiny_source(monkeypatch, name)
    height, width, _ = source.flow.event_shape
    larger = resized(source, 2 * height, 3 * width, "figure")
    for mine, theirs in zip(source.flow.weights, larger.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    x = np.random.default_rng(0).integers(0, source.levels, (1, *larger.event_shape), dtype=np.uint8)
    np.testing.assert_array_equal(larger.decode(larger.encode(x)), x)


def test_own_statistics_are_those_of_the_image(monkeypatch):
    """The networks answer as in training, and the run's flow stays as it is."""
    source = tiny_source(monkeypatch, "realnvp_grey")
    before = source.flow.get_weights()
    adapted = with_own_statistics(resized(source, 4, 4, "figure"))
    network, same = (
        next(part for part in all_layers(flow) if isinstance(part, ResidualConvNet)) for flow in (adapted, source.flow)
    )
    x = np.random.default_rng(0).standard_normal((3, 2, 2, 2)).astype(np.float32)
    kept = network(x).numpy()
    for mine, now in zip(before, source.flow.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, now)
    np.testing.assert_allclose(kept, same(x, training=True), atol=1e-4)


def test_interior_does_not_know_the_size(monkeypatch):
    """Far from what is added, a larger image is the smaller one: the two share a corner and its latents."""
    source = tiny_source(monkeypatch, "realnvp_grey")
    small, large = resized(source, 64, 64, "figure"), resized(source, 96, 80, "figure")
    z = np.random.default_rng(0).standard_normal((1, 96, 80, 1)).astype(np.float32)
    whole = large.decode(z.reshape(1, -1)).numpy()
    part = small.decode(z[:, :64, :64].reshape(1, -1)).numpy()
    np.testing.assert_array_equal(whole[:, :16, :16], part[:, :16, :16])
    assert (whole[:, :64, :64] != part).any()


@pytest.mark.parametrize(
    ("name", "factor", "says"),
    [
        ("realnvp_grey", 1.3, "enlarged by 1.3 of 4x4 is 5.2x5.2, expected whole pixels"),
        ("realnvp_grey", 1.25, "expected height and width divisible by 2"),
        ("realnvp_odd_last_scale", 2.0, "expected .* at that size"),
        ("nice_image", 2.0, "enlarged needs a multi-scale run"),
        ("vector", 2.0, "enlarged needs a run on images"),
    ],
)
def test_sizes_that_do_not_fit(name, factor, says, monkeypatch):
    with pytest.raises(Unfit, match=says) as caught:
        enlarged.draw(tiny_source(monkeypatch, name), factor=factor)
    assert "\n" not in str(caught.value)


def test_odd_last_scale_fits_an_odd_factor(monkeypatch):
    source = tiny_source(monkeypatch, "realnvp_odd_last_scale")
    assert enlarged.enlarge(source, 3.0, 1).shape == (1, 36, 36, 1)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_concatenation(count, monkeypatch):
    source = tiny_source(monkeypatch, "realnvp_grey")
    images = source.examples(count)
    large = concatenation.concatenate(source, images)
    rows = {1: 1, 2: 1, 4: 2}[count]
    assert large.shape == (4 * rows, 4 * count // rows, 1)
    if count == 1:
        np.testing.assert_array_equal(large, images[0])
    flow = resized(source, *large.shape[:2], "figure")
    z = flow.encode(large[None]).numpy().reshape(large.shape)
    first = source.encode(images[:1]).reshape(4, 4, 1)
    # Pixels are rounded: the latents come back to within a level.
    assert np.median(np.abs(z[:4, :4] - first)) < 0.5


def test_side_by_side():
    parts = np.arange(6).reshape(6, 1, 1, 1) * np.ones((6, 2, 2, 1), int)
    expected = np.kron([[0, 1, 2], [3, 4, 5]], np.ones((2, 2), int))
    np.testing.assert_array_equal(concatenation.side_by_side(parts)[..., 0], expected)
    assert concatenation.side_by_side(parts[:5]).shape == (2, 10, 1)


def kept_by_hand(height, width, level):
    """A pixel goes on from a scale if its coordinates there have one parity; at the next they are its block's."""
    kept = np.ones((height, width), bool)
    for i, j in np.ndindex(height, width):
        for scale in range(level):
            kept[i, j] &= (i >> scale) % 2 == (j >> scale) % 2
    return kept


@pytest.mark.parametrize(("shape", "levels"), [((8, 8, 1), 3), ((4, 12, 3), 2), ((16, 16, 2), 4)])
def test_latents_kept(shape, levels):
    for level in range(levels + 1):
        kept = scales.kept(shape, level)
        assert kept.shape == shape
        assert kept.sum() * 2**level == np.prod(shape)
        for channel in range(shape[-1]):
            np.testing.assert_array_equal(kept[..., channel], kept_by_hand(*shape[:2], level))


def test_replaced_latents_are_those_factored_out(monkeypatch):
    """What the deepest scale holds does not change when any finer latent does."""
    source = tiny_source(monkeypatch, "realnvp_three_scales")
    deepest = source.flow.bijector.layers[-1].inner.layers[-1].inner
    seen = []
    forward = deepest._forward
    monkeypatch.setattr(deepest, "_inverse", lambda y: (seen.append(y.numpy()), (y, forward(y, False)[1]))[1])
    z = np.random.default_rng(1).standard_normal((2, *source.flow.latent_shape)).astype(np.float32)
    for replacement in (0.0, 5.0):
        source.flow.decode(np.where(scales.kept(z.shape[1:], 2), z, replacement).reshape(2, -1))
    np.testing.assert_array_equal(seen[0], seen[1])


@pytest.mark.parametrize("name", ["realnvp_grey", "realnvp_packed_colour", "realnvp_three_scales"])
def test_compression_at_100_percent_is_the_image(name, monkeypatch):
    panels = []
    monkeypatch.setattr(compression, "page", lambda made, **_: panels.extend(made))
    source = tiny_source(monkeypatch, name)
    compression.draw(source, num=3)
    scales = source.config.model.flow.scales
    for panel in panels:
        assert panel.heads == ["100 %", "50 %", "25 %"][:scales]
        np.testing.assert_array_equal(panel.images[::scales], source.examples(3))
    assert (panels[0].images != panels[1].images).any()


@pytest.mark.parametrize("figure", [compression, concatenation])
@pytest.mark.parametrize("name", ["nice_image", "vector"])
def test_unfit(figure, name, monkeypatch):
    with pytest.raises(Unfit, match="needs a") as caught:
        figure.draw(tiny_source(monkeypatch, name))
    assert "\n" not in str(caught.value)
