"""The figures that count: terms of the score, latents by scale, the spectrum, histograms."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from tiny_source import tiny_source

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.registry import load_dataset
from nvp_tf.event import Event
from nvp_tf.figures import latents, scores, spectrum
from nvp_tf.out_of_distribution import sets
from nvp_tf.runs.source import Unfit

SCALES = {"realnvp_grey": 2, "realnvp_three_scales": 3, "realnvp_packed_colour": 2, "realnvp_one_scale": 1,
          "nice_image": 1}  # fmt: skip
PRIORS = {"normal": stats.norm, "logistic": stats.logistic}


def scale_of(i, j, scales):
    """At which scale a latent is done, from 1: a pixel goes on while its two coordinates have one parity."""
    for scale in range(1, scales):
        if i % 2 != j % 2:
            return scale
        i, j = i // 2, j // 2
    return scales


@pytest.mark.parametrize(("name", "scales"), SCALES.items())
def test_terms_add_up(name, scales, monkeypatch):
    source = tiny_source(monkeypatch, name)
    flow, x = source.flow, source.examples(7)
    terms, parts = latents.tally(flow, x, scales)
    assert list(terms) == ["pixels"] + [f"{what} {k + 1}" for k in range(scales) for what in ("layers", "latents")]
    np.testing.assert_allclose(sum(terms.values()), flow.log_prob(x), rtol=1e-4)

    z = flow.bijector.forward(flow.pixels.dequantize(x, flow.noise_pattern()))[0].numpy().astype(np.float64)
    density = PRIORS[source.config.model.prior].logpdf(z)
    shape = flow.latent_shape if len(flow.latent_shape) == 3 else (1, *flow.latent_shape, 1)
    where = np.array([[scale_of(i, j, scales) for j in range(shape[1])] for i in range(shape[0])])
    for k, part in enumerate(parts, start=1):
        mine = density.reshape(7, *shape)[:, where == k].reshape(7, -1)
        assert part.shape == mine.shape
        np.testing.assert_allclose(terms[f"latents {k}"], mine.sum(axis=1), rtol=1e-4)
        own = z.reshape(7, *shape)[:, where == k].reshape(7, -1)
        np.testing.assert_allclose(np.sort(part, axis=1), np.sort(own, axis=1), rtol=1e-4, atol=1e-4)


def test_terms_of_more_than_one_batch(monkeypatch):
    source = tiny_source(monkeypatch, "realnvp_grey")
    x = source.examples(30)
    whole = latents.tally(source.flow, x, 2)
    monkeypatch.setattr(latents, "BATCH", 7)
    parts = latents.tally(source.flow, x, 2)
    for name, value in whole[0].items():
        np.testing.assert_allclose(parts[0][name], value, rtol=1e-4, atol=1e-4)


def test_terms_of_nice(monkeypatch):
    """Additive couplings keep volume: what the layers win is the scaling's, the same for every image."""
    source = tiny_source(monkeypatch, "nice_image")
    terms, _ = latents.tally(source.flow, source.examples(5), 1)
    [scaling] = [w for w in source.flow.weights if w.path.endswith("log_scale")]
    np.testing.assert_allclose(terms["layers 1"], scaling.numpy().sum(), rtol=1e-4)
    np.testing.assert_allclose(terms["pixels"], -source.flow.dimensions * np.log(17), rtol=1e-5)


@pytest.mark.parametrize("name", ["nice_image", "nice_vector"])
def test_spectrum(name, monkeypatch):
    source = tiny_source(monkeypatch, name)
    sigma = spectrum.spectrum(source.flow)
    assert sigma.shape == (source.flow.dimensions,) and (np.diff(sigma) <= 0).all()
    # sigma is what one unit of a latent is before the last layer.
    one, zero = np.eye(len(sigma), dtype=np.float32), np.zeros((1, len(sigma)), np.float32)
    scaling = source.flow.bijector.layers[-1]
    moved = (scaling.inverse(one)[0] - scaling.inverse(zero)[0]).numpy()
    np.testing.assert_allclose(sigma, np.sort(np.diag(moved))[::-1], rtol=1e-6)


def test_spectrum_of_another_kind(monkeypatch):
    with pytest.raises(Unfit, match="spectrum needs flow kind nice, runs/tiny has realnvp"):
        spectrum.draw(tiny_source(monkeypatch, "realnvp_grey"))


def test_comparisons(monkeypatch):
    source = tiny_source(monkeypatch, "realnvp_packed_colour")
    kinds = scores.comparisons(source, 10)
    test = kinds["test"]
    np.testing.assert_array_equal(test, source.examples(10))
    for n, i, j in np.ndindex(10, 4, 4):
        np.testing.assert_array_equal(kinds["test, turned 180°"][n, i, j], test[n, 3 - i, 3 - j])
    np.testing.assert_array_equal(kinds["test, negatives"].astype(int) + test, 255)
    assert {x.shape for x in kinds.values()} == {(10, 4, 4, 3)} and {x.dtype for x in kinds.values()} == {test.dtype}
    assert kinds["uniform noise"].max() > 200


def test_other_data_sets_of_the_same_shape():
    """The photographs are always here, and of the shape of CIFAR-10."""

    def of_one_kind(levels):
        model = SimpleNamespace(event=Event((32, 32, 3), levels))
        return sets.of_one_kind(
            SimpleNamespace(config=SimpleNamespace(model=model, data=DataConfig("cifar10")), seed=0), 5
        )

    found = of_one_kind(256)
    assert found["photos"].shape == (5, 32, 32, 3) and "cifar10" not in found
    test = {
        x.tobytes() for batch in evaluation_batches(load_dataset(DataConfig("photos")).test, 500) for x in batch.numpy()
    }
    assert {x.tobytes() for x in found["photos"]} <= test
    assert of_one_kind(17) == {}


@pytest.mark.parametrize("low", [1.5, -0.5])
def test_histograms_count_everything(low):
    rng = np.random.default_rng(0)
    given = {"a": rng.uniform(low, 4, 200), "b": rng.uniform(3, 20, 50)}
    edges, counts = scores.histograms(given)
    assert [c.sum() for c in counts.values()] == [200, 50]
    for k in range(len(edges) - 1):
        assert counts["a"][k] == sum(edges[k] <= value < edges[k + 1] for value in given["a"])


def test_best_and_worst(monkeypatch):
    source = tiny_source(monkeypatch, "realnvp_grey")
    panels = []
    monkeypatch.setattr(scores, "draw_panel", lambda axes, panel: panels.append(panel))
    scores.draw(source, num=30)
    x = source.examples(30)
    bits = source.flow.bits_per_dim(x).numpy()
    order = sorted(range(30), key=lambda i: bits[i])
    np.testing.assert_array_equal(panels[0].images, x[order[:16]])
    np.testing.assert_array_equal(panels[1].images, x[order[::-1][:16]])
    assert panels[0].title.endswith(f"{bits.min():.2f} to {bits[order[15]]:.2f} bits/dim")
