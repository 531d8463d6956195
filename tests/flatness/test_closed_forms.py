"""Hessian, Gauss-Newton and Fisher matrices against what is known on paper."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from subjects import curvature, dense, from_teacher, normal, sequential

from nvp_tf.errors import UserError
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.models import subject
from nvp_tf.flatness.operators import fisher, gauss_newton, hessian

X, LABELS = normal(40, 5), np.arange(40) % 3
CASES = {
    "mse": (1, normal(40, 1, seed=1)),
    "binary_crossentropy": (1, LABELS[:, None] % 2),
    "sparse_categorical_crossentropy": (3, LABELS),
}


def linear(loss):
    """A linear model and its loss: activations that make probabilities are taken off."""
    outputs, y = CASES[loss]
    activation = {"mse": None, "binary_crossentropy": "sigmoid"}.get(loss, "softmax")
    model = sequential((5,), dense(outputs, use_bias=False, activation=activation))
    return Curvature.of(subject(model, X, y, loss=loss, batch_size=16)), y


def on_paper(loss, kernel, y):
    """(H, empirical F) [dim, dim] of kernels [5, k] in row-major order."""
    z = X @ kernel
    if loss == "mse":
        bent, slope = np.full((40, 1, 1), 2.0), 2 * (z - y)
    elif loss == "binary_crossentropy":
        p = expit(z)
        bent, slope = (p * (1 - p))[..., None], p - y
    else:
        p = softmax(z, axis=1)
        bent, slope = np.einsum("nk,kl->nkl", p, np.eye(3)) - np.einsum("nk,nl->nkl", p, p), p - np.eye(3)[y]
    gradients = np.einsum("ni,nk->nik", X, slope).reshape(40, -1)
    h = np.einsum("ni,nkl,nj->ikjl", X, bent, X).reshape(kernel.size, kernel.size)
    return h / 40, gradients.T @ gradients / 40


@pytest.mark.parametrize("loss", CASES)
def test_linear_models(loss):
    c, y = linear(loss)
    h, empirical = on_paper(loss, c.weights.reshape(5, -1), y)
    for operator in (hessian(c), gauss_newton(c), fisher(c)):  # for these three losses all are one matrix
        np.testing.assert_allclose(operator.dense(), h, atol=1e-10)
    np.testing.assert_allclose(fisher(c, "empirical").dense(), empirical, atol=1e-10)
    v = normal(c.dim)
    np.testing.assert_allclose(c.forms(v).mean(), v @ h @ v, rtol=1e-10)
    np.testing.assert_allclose(c.forms(v, "empirical").mean(), v @ empirical @ v, rtol=1e-10)


@pytest.mark.parametrize(("sizes", "rank"), [((5, 7, 1), 35), ((5, 6, 4, 1), 48)])
def test_at_a_minimum_of_loss_0_the_hessian_is_gauss_newton(sizes, rank):
    c = from_teacher(*sizes)
    h, g = hessian(c).dense(), gauss_newton(c).dense()
    assert c.loss() == 0 and not c.gradient().any()
    np.testing.assert_allclose(h, g, atol=1e-12)
    values = np.linalg.eigvalsh(h)
    assert (values > 1e-9 * values[-1]).sum() == rank  # dim less one for each hidden unit: its rescaling
    assert values[0] > -1e-12


def test_away_from_it_the_two_differ():
    c = from_teacher(5, 7, 1)
    elsewhere = c.weights + 0.3 * normal(c.dim)
    v = normal(c.dim, seed=1)
    assert np.linalg.norm(c.hessian(v, elsewhere) - c.gauss_newton(v, elsewhere)) > 0.01


def test_deep_linear_network():
    """L = mean (x W1 w2 - y)^2: H's off-diagonal block has the residuals, on paper."""
    model = sequential((3,), dense(2, use_bias=False), dense(1, use_bias=False))
    x, y = normal(20, 3), normal(20, 1, seed=1)
    c = curvature(model, "mse", x, y)
    w1, w2 = c.weights[:6].reshape(3, 2), c.weights[6:, None]
    r = x @ w1 @ w2 - y
    j = np.concatenate([np.einsum("ni,h->nih", x, w2[:, 0]).reshape(20, 6), x @ w1], axis=1)
    h = 2 * j.T @ j / 20
    mixed = 2 * np.einsum("n,ni,hk->ihk", r[:, 0], x, np.eye(2)).reshape(6, 2) / 20
    h[:6, 6:] += mixed
    h[6:, :6] += mixed.T
    np.testing.assert_allclose(hessian(c).dense(), h, atol=1e-12)


def test_regularizers_are_left_out_unless_asked_for():
    model = sequential((5,), dense(2, kernel_regularizer="l2"))
    x, y = normal(20, 5), normal(20, 2)
    bare, penalized = (curvature(model, "mse", x, y, regularizers=asked) for asked in (False, True))
    v, decay = normal(bare.dim), np.r_[np.full(10, 0.01), 0, 0]
    np.testing.assert_allclose(penalized.loss() - bare.loss(), decay @ bare.weights**2, rtol=1e-6)
    np.testing.assert_allclose(penalized.gradient() - bare.gradient(), 2 * decay * bare.weights, atol=1e-9)
    np.testing.assert_allclose(penalized.hessian(v) - bare.hessian(v), 2 * decay * v, atol=1e-9)
    np.testing.assert_array_equal(penalized.gauss_newton(v), bare.gauss_newton(v))


def test_no_fisher_of_the_model_without_a_likelihood():
    c = curvature(sequential((5,), dense(1)), "mae", X, CASES["mse"][1])
    with pytest.raises(UserError, match=r"mean_absolute_error is no negative log-likelihood"):
        c.fisher(np.ones(c.dim))
