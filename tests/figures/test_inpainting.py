"""Figure 5.7: masks pixel by pixel, steps by hand, and what never changes."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from cases import MODELS, randomize
from tiny_source import tiny_source

from nvp_tf.errors import UserError
from nvp_tf.figures import inpainting, langevin
from nvp_tf.figures.hidden_pixels import hidden_pixels
from nvp_tf.models.build import build
from nvp_tf.pictures.layout import Interrupted
from nvp_tf.runs.source import Unfit

BLOCKS = {  # of a 4x4 image, 1 hidden
    "top rows": "1111 1111 0000 0000",
    "bottom rows": "0000 0000 1111 1111",
    "odd pixels": "1010 1010 1010 1010",
    "even pixels": "0101 0101 0101 0101",
    "left side": "1100 1100 1100 1100",
    "right side": "0011 0011 0011 0011",
    "middle vertically": "0000 1111 1111 0000",
    "middle horizontally": "0110 0110 0110 0110",
}


def test_masks_pixel_by_pixel():
    masks = hidden_pixels(4, 4, num=2)
    assert list(masks) == [*BLOCKS, "75% random", "90% random"]
    for name, rows in BLOCKS.items():
        expected = [[c == "1" for c in row] for row in rows.split()]
        for image in masks[name][..., 0]:
            np.testing.assert_array_equal(image, expected, err_msg=name)


def test_random_masks_hide_their_share_and_differ():
    masks = hidden_pixels(28, 28, num=100, seed=3)
    for name, share in (("75% random", 0.75), ("90% random", 0.9)):
        assert abs(masks[name].mean() - share) < 4 * (share * (1 - share) / 78400) ** 0.5
        assert (masks[name][0] != masks[name][1]).any()
    again = hidden_pixels(28, 28, num=100, seed=3)
    assert all((masks[name] == again[name]).all() for name in masks)


@pytest.mark.parametrize(("size", "hidden"), [((5, 7), 2 * 7), ((6, 4), 3 * 4)])
def test_top_rows_of_odd_sizes(size, hidden):
    assert hidden_pixels(*size, num=1)["top rows"].sum() == hidden


def chain_case(name, chain, **kwargs):
    """(chain, its flow in float64, x, hidden)."""
    case = MODELS[name]
    flow = randomize(build(case.config, "float64"), 1, 0.3)
    rng = np.random.default_rng(0)
    x = rng.uniform(0.2, 0.8, (2, *case.event_shape))
    hidden = rng.random((2, *case.event_shape[:-1], 1)) < 0.5
    return langevin.CHAINS[chain](flow, hidden, 7, 0.1, **kwargs), flow, x, hidden


def random_numbers(sampler, x, i):
    """The u and n of a step, as its docstrings say."""
    seed = tf.constant([sampler.seed, i], tf.int64)
    u = tf.random.stateless_uniform(x.shape, tf.random.fold_in(seed, 0), dtype=tf.float64)
    return u.numpy(), sampler.noise(x.shape, seed, tf.float64).numpy()


@pytest.mark.parametrize("name", ["nice_image", "realnvp_grey"])
def test_one_step_on_pixels_by_finite_differences(name):
    sampler, flow, x, hidden = chain_case(name, "pixels", clip=False or name != "nice_image")
    levels, i = flow.pixels.levels, 50
    u, n = random_numbers(sampler, x, i)

    @tf.function(autograph=False)  # it is asked often
    def log_prob(x):
        z, log_det = flow.bijector.forward((levels - 1) * x + u)
        return flow.prior.log_prob(z) + log_det

    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape[1:]):
        step = np.zeros(x.shape[1:])
        step[place] = 1e-6
        gradient[(slice(None), *place)] = (log_prob(x + step) - log_prob(x - step)) / 2e-6
    expected = x + 0.1 / 1.5 * (gradient / 100 + n)
    if sampler.clip:
        expected = expected.clip(0, 1)
    np.testing.assert_allclose(sampler.step(tf.constant(x), i), np.where(hidden, expected, x), atol=1e-7)


@pytest.mark.parametrize("name", ["realnvp_grey", "nice_symmetric"])
def test_one_step_on_latents_by_hand(name):
    sampler, flow, x, hidden = chain_case(name, "latents")
    levels, i = flow.pixels.levels, 50
    u, _ = random_numbers(sampler, x, i)
    z = flow.bijector.forward((levels - 1) * x + u)[0].numpy()
    n = sampler.noise(z.shape, tf.constant([sampler.seed, i], tf.int64), tf.float64).numpy()
    a = 0.1 / 1.5
    v = flow.bijector.inverse(z - a**2 / 2 * z + a * n)[0].numpy()
    expected = np.where(hidden, ((v - u) / (levels - 1)).clip(0, 1), x)
    np.testing.assert_allclose(sampler.step(tf.constant(x), i), expected, atol=1e-9)


def test_latent_steps_almost_keep_the_prior():
    """A step z (1 - a^2/2) + a n has the variance 1 / (1 - a^2/4) at rest."""
    sampler, flow, *_ = chain_case("realnvp_grey", "latents")
    flow.bijector = SimpleNamespace(forward=lambda v: (v, None), inverse=lambda z: (z, None))
    sampler.dequantized, sampler.highest = lambda x, seed: (x, 0), 1
    x = tf.random.stateless_normal([200_000, 1], [1, 2])
    for i in range(5):
        x = sampler.move(x, 0.3, tf.constant([0, i], tf.int64))
    assert abs(np.mean(x)) < 0.01 and 0.99 < np.std(x) < 0.01 + (1 - 0.3**2 / 4) ** -0.5


@pytest.mark.parametrize(("name", "chain"), [("nice_image", None), ("realnvp_grey", None), ("realnvp_grey", "pixels")])
def test_visible_pixels_never_change(name, chain, monkeypatch):
    shown = []
    monkeypatch.setattr(inpainting, "page", lambda panels, **_: shown.append(panels))
    source = tiny_source(monkeypatch, name)
    drawing = inpainting.draw(source, num=3, steps=4, chain=chain)
    originals, start, end = shown[-1]
    hidden = np.broadcast_to(
        np.concatenate(list(hidden_pixels(*source.flow.event_shape[:2], 3).values())), end.images.shape
    )
    assert originals.rows[0] == "top rows" and len(originals.images) == 30
    for panel in (start, end):
        np.testing.assert_array_equal(panel.images[~hidden], originals.images[~hidden])
    assert (end.images[hidden] != start.images[hidden]).any()
    assert "step 4 of 4" in end.title and len(drawing.frames) > 2

    again = []
    monkeypatch.setattr(inpainting, "page", lambda panels, **_: again.append(panels))
    inpainting.draw(tiny_source(monkeypatch, name), num=3, steps=4, chain=chain)
    np.testing.assert_array_equal(again[-1][2].images, end.images)


def test_interrupted_draws_what_is_done(monkeypatch):
    monkeypatch.setattr(inpainting, "page", lambda panels, **_: panels[2].title)
    step = langevin.Chain.step

    def interrupted(self, x, i):
        if i == 2:
            raise KeyboardInterrupt
        return step(self, x, i)

    monkeypatch.setattr(langevin.Chain, "step", interrupted)
    with pytest.raises(Interrupted, match="after step 2 of 9") as caught:
        inpainting.draw(tiny_source(monkeypatch, "nice_image"), num=1, steps=9)
    assert "step 2 of 9" in caught.value.drawing.still


@pytest.mark.parametrize(
    ("name", "options", "error", "says"),
    [
        ("vector", {}, Unfit, "inpainting needs a run on images"),
        ("realnvp_grey", {"clip": False}, UserError, "expected on for a run with a logit"),
        ("nice_image", {"chain": "both"}, UserError, "chain is 'both', expected one of pixels, latents"),
    ],
)
def test_mistakes(name, options, error, says, monkeypatch):
    with pytest.raises(error, match=says) as caught:
        inpainting.draw(tiny_source(monkeypatch, name), **options)
    assert "\n" not in str(caught.value)
