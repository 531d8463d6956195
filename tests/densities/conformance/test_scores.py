"""A score is of its example alone, the same each time, and of what the data can have."""

import numpy as np
import pytest
from density_cases import ALL, IMAGES, TOY, VECTORS, some

from nvp_tf.errors import UserError


@pytest.mark.parametrize("name", IMAGES)
def test_what_no_image_of_the_data_is(name):
    density, images = IMAGES[name].shared, some(TOY, 3)
    images[1, 0, 1, 0] = 4
    value = density.log_mass(images).value
    assert value[1] == -np.inf and np.isfinite(value[[0, 2]]).all()
    for wrong in (some(TOY)[..., 0], some(TOY).astype(np.float32), some(TOY).astype(np.int64) + 300):
        with pytest.raises(UserError, match="expected"):
            density.log_mass(wrong)
    with pytest.raises(UserError, match="log_mass"):
        density.log_prob(np.zeros((1, 4)))


def test_vectors_have_no_mass():
    for density in (case.shared for case in VECTORS.values()):
        with pytest.raises(UserError, match="log_prob"):
            density.log_mass(some(density.domain))


@pytest.mark.parametrize("name", ALL)
def test_same_whatever_the_batch(name):
    density = ALL[name].shared
    x = some(density.domain)
    scores = density.scores(x)
    assert scores.value.dtype == np.float64 and scores.value.shape == (7,) and np.isfinite(scores.value).all()
    np.testing.assert_array_equal(scores.value, density.scores(x).value)
    np.testing.assert_allclose(density.scores(x[3:4]).value, scores.value[3:4], rtol=1e-12)
    assert density.scores(x[:0]).value.shape == (0,)
    if density.latent_size is None:
        with pytest.raises(UserError, match="no latents"):
            density.encode(x)
    else:
        latents = density.encode(x)
        assert latents.shape == (7, density.latent_size) and np.isfinite(latents).all()
        np.testing.assert_allclose(density.encode(x[2:3]), latents[2:3], rtol=1e-9, atol=1e-12)
