"""PixelCNN: the mass of all images, what a pixel sees, and the sampler that keeps what does not change."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from density_cases import fill_network

from nvp_tf.densities import pixelcnn_sampler
from nvp_tf.densities.contract import Domain, Unfit
from nvp_tf.densities.pixelcnn import PixelCnnDensity, PixelCnnSettings

TINY = {"filters": 6, "hidden": 12, "components": 2}


def density(shape, levels, dtype="float64", **settings) -> PixelCnnDensity:
    made = PixelCnnDensity(Domain(shape, levels), PixelCnnSettings(**(TINY | settings)), dtype=dtype)
    fill_network(made, np.random.default_rng(1))
    return made


@pytest.mark.parametrize("shape", [(2, 2, 1), (1, 2, 2), (2, 1, 2), (1, 4, 1)])
def test_mass_of_all_images(shape):
    made = density(shape, 3, layers=3)
    images = np.array(list(itertools.product(range(3), repeat=4)), np.uint8).reshape(-1, *shape)
    mass = np.exp(made.log_mass(images).value)
    assert mass.sum() == pytest.approx(1, abs=1e-10)
    assert mass.std() > 1e-4


@pytest.fixture(scope="module")
def seen():
    """[H W, H W, C]: how the outputs of a pixel depend on another's channels; its reach is all there is."""
    made = density((5, 6, 2), 5, layers=4, first_size=5)

    @tf.function(autograph=False)
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            out = tf.reshape(tf.reduce_sum(tf.sin(made.model(x)), axis=3), [30, 30])
            diagonal = tf.linalg.trace(out)  # row i of the batch asks for pixel i
        return tape.gradient(diagonal, x)

    one = np.random.default_rng(0).standard_normal((4, 1, 5, 6, 2))
    found = [np.abs(gradients(tf.constant(np.repeat(x, 30, axis=0)))).reshape(30, 30, 2) for x in one]
    return np.sum(found, axis=0)


def test_no_later_pixel_is_seen(seen):
    row, column = np.indices((30, 30))
    assert (seen[column >= row] == 0).all()


def test_no_blind_spot(seen):
    row, column = np.indices((30, 30))
    assert (seen[column < row] > 0).all()


@pytest.mark.parametrize(
    "size", [{"size": 3, "first_size": 7}, {"size": 5, "first_size": 3}, {"layers": 1}, {"size": 1}]
)
def test_cached_sampling_is_naive_sampling(size):
    made = density((5, 4, 2), 6, **({"layers": 3} | size))
    noise = made.noise(6, tf.constant([3, 4], tf.int64))
    naive = tf.function(lambda *noise: pixelcnn_sampler.naive(made, noise), autograph=False)(*noise).numpy()
    cached = tf.function(lambda *noise: pixelcnn_sampler.cached(made, noise), autograph=False)(*noise).numpy()
    np.testing.assert_array_equal(naive, cached)
    assert naive.min() >= 0 and naive.max() <= 5 and naive.std() > 0.5


def test_refusals():
    with pytest.raises(Unfit, match="over images"):
        PixelCnnDensity(Domain((4,)))
    with pytest.raises(ValueError, match="size is 4, expected an odd number"):
        PixelCnnSettings(size=4)
