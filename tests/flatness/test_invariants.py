"""What the rescaling of a rectified network does not move, while the largest eigenvalue does; each also on paper."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import MODELS as FLOWS
from scipy.optimize import minimize
from scipy.special import softmax
from subjects import L, curvature, dense, normal, sequential

from nvp_tf.errors import UserError
from nvp_tf.flatness.batches import in_batches
from nvp_tf.flatness.blocks import unflatten
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.invariants import fisher_rao, input_gradient_norm, margins
from nvp_tf.flatness.metric import metric_eigenvalues
from nvp_tf.flatness.models import open_model
from nvp_tf.flatness.operators import fisher, hessian
from nvp_tf.flatness.relative_flatness import relative_flatness
from nvp_tf.flatness.sharpness import sharpness
from nvp_tf.flatness.slices import random_directions, slice_losses
from nvp_tf.flatness.spectrum import top
from nvp_tf.flatness.trace import hutchinson
from nvp_tf.flatness.volume import slice_volume

SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
X, LABELS = normal(30, 4), np.arange(30) % 3


def classifier():
    """4-5-3, with biases; its weights by hand, so that a twin is had by hand too."""
    model = sequential((4,), dense(5, activation="relu"), dense(3))
    model.set_weights([normal(4, 5, seed=1), 0.3 * normal(5, seed=2), normal(5, 3, seed=3), 0.3 * normal(3, seed=4)])
    return model


@pytest.fixture(scope="module")
def twins():
    """The classifier, and the same function at a = 1e-3 and 1e3 (thesis 3.2): first layer times a, second over a."""
    made = {}
    for a in (1.0, 1e-3, 1e3):
        model = classifier()
        model.set_weights([w * f for w, f in zip(model.get_weights(), (a, a, 1 / a, 1), strict=True)])
        made[a] = curvature(model, SPARSE, X, LABELS, batch_size=30)
    return made


UNMOVED = {
    "largest of D H D": lambda c: top(hessian(c).scaled(c.weights)).values[0],
    "trace of D H D": lambda c: hutchinson(hessian(c).scaled(c.weights), 5).estimate.value,
    "adaptive sharpness": lambda c: sharpness(c, 0.1, adaptive=True, steps=10).value,
    "Fisher-Rao norm": lambda c: fisher_rao(c).value,
    "empirical Fisher-Rao norm": lambda c: fisher_rao(c, "empirical").value,
    "relative flatness": lambda c: [e.value for e in relative_flatness(c).values()],
    "filter-normalized slice": lambda c: slice_losses(c, random_directions(c, 1), points=5)[1],
    "scaled volume": lambda c: slice_volume(c, 0.1, slices=3, scale=c.weights, limit=10).estimate.value,
    "margins": margins,
    "losses": lambda c: c.losses(),
    "input gradient": lambda c: input_gradient_norm(c).value,
}


@pytest.mark.parametrize("name", UNMOVED)
def test_unmoved(name, twins):
    values = [UNMOVED[name](c) for c in twins.values()]
    for other in values[1:]:
        np.testing.assert_allclose(other, values[0], rtol=1e-8, atol=1e-11)


def test_while_the_largest_eigenvalue_moves(twins):
    values = [top(hessian(c)).values[0] for c in twins.values()]
    assert values[1] > 1e4 * values[0] and values[2] > 1e4 * values[0]


def test_metric_eigenvalues_are_unmoved_at_a_minimum():
    """Of noisy targets, so that H is not F; changed by any linear map of the weights."""
    model = sequential((2,), dense(2, use_bias=False, activation="tanh"), dense(1, use_bias=False))
    model.set_weights([np.array([[1.0, -0.5], [0.3, 0.8]]), np.array([[1.5], [-1.0]])])
    x = normal(40, 2)
    y = model(x).numpy() + 0.3 * normal(40, 1, seed=1)
    start = curvature(model, "mse", x, y, batch_size=40)
    lowest = minimize(start.loss_and_gradient, start.weights, jac=True, options={"gtol": 1e-9}).x
    for _ in range(3):
        lowest = lowest - np.linalg.solve(hessian(start, lowest).dense(), start.gradient(lowest))
    model.set_weights(unflatten(lowest, start.blocks))
    c = curvature(model, "mse", x, y, batch_size=40)
    assert np.linalg.norm(c.gradient()) < 1e-12
    found = metric_eigenvalues(c)
    h, f = hessian(c).dense(), fisher(c).dense()
    known = np.sort(np.linalg.eigvals(np.linalg.solve(f, h)).real)[::-1]
    np.testing.assert_allclose(found.values, known, rtol=1e-8)
    assert found.rank == c.dim == 6 and found.outside < 1e-8
    jacobian = np.diag([10, 0.1, 5, 1, 0.3, 7]) @ np.linalg.qr(normal(6, 6))[0]
    moved = np.linalg.eigvals(np.linalg.solve(jacobian.T @ f @ jacobian, jacobian.T @ h @ jacobian)).real
    np.testing.assert_allclose(np.sort(moved)[::-1], known, rtol=1e-6)


def test_metric_of_a_rectified_network(twins):
    """Its rescalings are null directions of F. Away from a minimum H bends along them, and it says so."""
    found = [metric_eigenvalues(c) for c in twins.values()]
    for other in found[1:]:
        np.testing.assert_allclose(other.values, found[0].values, rtol=1e-6, atol=1e-8)
    assert found[0].rank <= twins[1.0].dim - 5 - 1 and found[0].outside > 1e-3  # 5 units, a shift of all logits
    with pytest.raises(UserError, match="expected at most 10"):
        metric_eigenvalues(twins[1.0], limit=10)


def test_fisher_rao_norm_on_paper(twins):
    """E_y[(th . g)^2] by summing over all labels, each gradient by itself."""
    c = twins[1.0]
    p = softmax(c.outputs(), axis=1)
    squares = np.empty((30, 3))
    for label in range(3):
        for i in range(30):
            g = c.on([(X[i : i + 1], np.array([label]))]).gradient()
            squares[i, label] = (c.weights @ g) ** 2
    np.testing.assert_allclose(fisher_rao(c).value, np.sqrt((p * squares).sum(axis=1).mean()), rtol=1e-10)
    np.testing.assert_allclose(
        fisher_rao(c, "empirical").value, np.sqrt(squares[np.arange(30), LABELS].mean()), rtol=1e-10
    )


def test_relative_flatness_on_paper():
    """sum_ss' <w_s, w_s'> tr H_ss' from the dense Hessian; by probes within their error."""
    c = curvature(sequential((3,), dense(4, activation="tanh"), L.Reshape((2, 2), dtype="float64"),
                             L.Conv1D(2, 2, dtype="float64"), L.Flatten(dtype="float64"), dense(9, activation="tanh"),
                             dense(1)), "mse", normal(12, 3), normal(12, 1))  # fmt: skip
    h = hessian(c).dense()
    found = relative_flatness(c, probes=300)
    assert list(found) == [b.name for b in c.blocks if len(b.shape) > 1]
    for block in (b for b in c.blocks if b.name in found):
        kernel = c.weights[block.slice].reshape(-1, block.shape[-1])
        own = h[block.slice, block.slice].reshape(*kernel.shape, *kernel.shape)
        known = np.einsum("js,jr,tstr->", kernel, kernel, own)
        estimate = found[block.name]
        assert abs(estimate.value - known) <= max(4 * estimate.error, 1e-10 * abs(known)), block.name
    with pytest.raises(UserError, match="there is no kernel 'bias'"):
        relative_flatness(c, ["bias"])


def test_margins_on_paper(twins):
    z = twins[1.0].outputs()
    known = [row[y] - np.delete(row, y).max() for row, y in zip(z, LABELS, strict=True)]
    np.testing.assert_allclose(margins(twins[1.0]), known)
    one_hot = curvature(classifier(), keras.losses.CategoricalCrossentropy(from_logits=True), X, np.eye(3)[LABELS])
    np.testing.assert_allclose(margins(one_hot), known)
    binary = curvature(
        sequential((4,), dense(1)), keras.losses.BinaryCrossentropy(from_logits=True), X, LABELS[:, None] % 2
    )
    np.testing.assert_allclose(margins(binary), (2 * (LABELS % 2) - 1) * binary.outputs()[:, 0])
    with pytest.raises(UserError, match="no classes"):
        margins(curvature(sequential((4,), dense(1)), "mse", X, normal(30, 1)))


def test_input_gradients_on_paper():
    model = sequential((4,), dense(1, use_bias=False))
    y = normal(30, 1)
    c = curvature(model, "mse", X, y)
    known = np.abs(2 * (X @ c.weights[:, None] - y)[:, 0]) * np.linalg.norm(c.weights)
    np.testing.assert_allclose(input_gradient_norm(c).value, known.mean(), rtol=1e-12)


def test_of_a_flow():
    case = FLOWS["nice_image"]
    flow, loss, notes = open_model(case.make(seed=1))
    x = case.inputs(2).astype("uint8")
    c = Curvature(flow, loss, in_batches(x))
    np.testing.assert_allclose(c.losses(), -flow.log_prob(x).numpy(), rtol=1e-12)
    assert loss.kind == "density" and "one fixed pattern" in notes[0]
    norms, e, log_prob = [], 1e-6, tf.function(flow.log_prob, autograph=False)
    for image in x:  # by differences, in the dequantized pixels
        pattern = flow.noise_pattern().numpy()
        slopes = [
            (log_prob(image[None], pattern + e * d) - log_prob(image[None], pattern - e * d)).numpy()[0] / (2 * e)
            for d in np.eye(6).reshape(6, *x.shape[1:])
        ]
        norms.append(np.linalg.norm(slopes))
    np.testing.assert_allclose(input_gradient_norm(c).value, np.mean(norms), rtol=1e-5)
    assert fisher_rao(c).value > 0
    with pytest.raises(UserError, match="there is no Gauss-Newton matrix"):
        c.gauss_newton(c.weights)
    with pytest.raises(UserError, match="expected kind 'empirical'"):
        fisher(c)
