"""Over factors from 1e-3 to 1e3: what moves by more than 1e4, what stays to 1e-8, and what only looks unmoved."""

import keras
import numpy as np
import pytest
from rectified import MODELS, convolutional, data, dense, norm

from nvp_tf.flatness.bijective import Power
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.invariants import fisher_rao, input_gradient_norm
from nvp_tf.flatness.losses import loss_of
from nvp_tf.flatness.operators import hessian
from nvp_tf.flatness.relative_flatness import relative_flatness
from nvp_tf.flatness.reparametrized import Reparametrized
from nvp_tf.flatness.rescaling import Rescaling
from nvp_tf.flatness.sharpness import sharpness
from nvp_tf.flatness.spectrum import top
from nvp_tf.flatness.trace import hutchinson

CLASSIFIERS = {"dense": lambda: dense(4, 6, 5, 3, bias=True), "batch_norm": lambda: convolutional(norm(), norm())}


def curvature_of(model, x, labels):
    return Curvature(model, loss_of("sparse_categorical_crossentropy", from_logits=True), [(x, labels)])


def measures(curvature):
    scaled = hessian(curvature).scaled(curvature.weights)
    return {
        "largest of D H D": top(scaled).values[0],
        "trace of D H D": hutchinson(scaled, 10).estimate.value,
        "adaptive": sharpness(curvature, 0.05, adaptive=True, steps=3, restarts=1).value,
        "Fisher-Rao": fisher_rao(curvature).value,
        "relative": sum(each.value for each in relative_flatness(curvature, probes=3).values()),
        "loss": curvature.loss(),
        "input gradient": input_gradient_norm(curvature).value,
    }


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_unmoved_to_1e_8_while_the_largest_eigenvalue_moves(name):
    model = CLASSIFIERS[name]()
    x, y = data(model, n=12)
    labels = y.argmax(axis=-1)
    rescaling = Rescaling(model)
    unit = next(u for u in rescaling.units if not u.moves_statistics)
    start = curvature_of(model, x, labels)
    expected, own = measures(start), top(hessian(start)).values[0]
    largest = []
    for alpha in (1e-3, 1e3):
        curvature = curvature_of(rescaling.apply({unit.name: alpha}, x), x, labels)
        largest.append(top(hessian(curvature), tolerance=1e-3).values[0])
        for key, value in measures(curvature).items():
            assert value == pytest.approx(expected[key], rel=1e-8), (alpha, key)
    assert max(largest) > 1e4 * own


def test_batch_norm_both_ways_at_once():
    """Kernels before the batch norm, too: its statistics move, within what the variance allows."""
    model = CLASSIFIERS["batch_norm"]()
    x, y = data(model, n=12)
    rescaling = Rescaling(model)
    factors = {unit.name: 7.0 for unit in rescaling.units}
    assert any(unit.moves_statistics for unit in rescaling.units)
    labels = y.argmax(axis=-1)
    expected = measures(curvature_of(model, x, labels))
    for key, value in measures(curvature_of(rescaling.apply(factors, x), x, labels)).items():
        assert value == pytest.approx(expected[key], rel=1e-8), key


def test_d_h_d_is_not_unmoved_by_any_reparametrization():
    """Under eta = theta^(2a+1) it is divided by (2a+1)^2, at a minimum."""
    model = MODELS["two"]()
    x, _ = data(model, n=20)
    targets, a = model(x).numpy(), 0.3
    layer = Power(a, dtype="float64")
    dimensions = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    layer.build((None, dimensions))
    found = []
    for each in (model, Reparametrized(model, layer)):
        curvature = Curvature(each, loss_of("mean_squared_error"), [(x, targets)])
        found.append(top(hessian(curvature).scaled(curvature.weights)).values[0])
    assert found[0] / found[1] == pytest.approx((2 * a + 1) ** 2, rel=1e-9)


def test_adaptive_measures_move_with_the_scale_of_the_logits():
    """Another function with the same predicted classes: what a rescaling leaves alone is no property of decisions."""
    model = dense(4, 6, 3)
    x, y = data(model, n=12)
    labels = y.argmax(axis=-1)
    before = measures(curvature_of(model, x, labels))
    last = model.layers[-1].kernel
    last.assign(3 * last.numpy())
    assert keras.ops.shape(last) == (6, 3)
    after = measures(curvature_of(model, x, labels))
    assert after["largest of D H D"] > 2 * before["largest of D H D"]
