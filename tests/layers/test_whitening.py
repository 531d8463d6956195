import numpy as np
import pytest

from nvp_tf.config.schema import ModelConfig, NICEConfig, PixelsConfig, WhiteningConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.layers.whitening import Whitening
from nvp_tf.models.build import build
from nvp_tf.training.whitening import fit_whitening


@pytest.mark.parametrize("data_range", ["unit", "symmetric"])
def test_fitted_by_a_pass_over_the_data_it_whitens(data_range):
    rng = np.random.default_rng(0)
    mixed = 90 + rng.standard_normal((3000, 12)) @ (6 * rng.standard_normal((12, 12)))
    images = np.clip(mixed, 0, 255).astype(np.uint8).reshape(-1, 3, 4, 1)
    images[:, 0, 0] = 7  # A pixel that never changes, but for its noise.
    split = from_arrays(images).train
    pixels = PixelsConfig(256, data_range, 0.0)
    flow = build(ModelConfig((3, 4, 1), NICEConfig(2, 1, 4), pixels, "logistic", WhiteningConfig(1e-7)), "float64")
    found = fit_whitening(flow, split, batch_size=700)

    x = split.read(np.arange(split.size), None)
    y = flow.pixels.dequantize(x, rng.uniform(size=x.shape))  # Other noise than the fit's.
    for layer in flow.bijector.layers[:3]:
        y, log_det = layer.forward(y)
    np.testing.assert_allclose(y.numpy().mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(np.cov(y.numpy().T), np.eye(12), atol=0.1)
    matrix = flow.bijector.layers[2].matrix.numpy()
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6 * np.abs(matrix).max())  # ZCA, not PCA
    np.testing.assert_allclose(np.linalg.slogdet(matrix)[1], log_det[0], rtol=1e-9)
    assert found["examples"] == split.size and found["log_det"] == pytest.approx(log_det[0]) and found["epsilon"] > 0


def test_epsilon_is_a_share_of_the_mean_eigenvalue():
    layer = Whitening(0.5, dtype="float64")
    layer.build((None, 2))
    assert layer.fit(np.zeros(2), np.diag([1.0, 3.0])) == (1.0, pytest.approx(-0.5 * np.log(2 * 4)))
    np.testing.assert_allclose(layer.matrix, np.diag([2**-0.5, 0.5]))


def test_a_flow_without_it_has_nothing_to_fit():
    flow = build(ModelConfig((2, 2, 1), NICEConfig(2, 1, 4), PixelsConfig()))
    assert fit_whitening(flow, from_arrays(np.zeros((30, 2, 2, 1), np.uint8)).train) is None
