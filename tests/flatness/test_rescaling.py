"""The alpha-scale: one function, other weights, derivatives that move as the thesis says, and what is refused."""

import keras
import numpy as np
import pytest
from rectified import F64, MODELS, Derivatives, L, convolutional, data, dense, norm, statistics, weights

from nvp_tf.errors import UserError
from nvp_tf.flatness.rescaling import Rescaling, predictions


def factors_of(rescaling, seed=0, channels=False):
    """Random factors between 1/5 and 5, one a unit or one a channel."""
    rng = np.random.default_rng(seed)
    return {u.name: 5 ** rng.uniform(-1, 1, u.channels if channels else None) for u in rescaling.units}


@pytest.mark.parametrize("name", MODELS)
def test_gradient_and_hessian_move_with_d(name):
    """Theorem 4: D g and D H D to 1e-12, along random directions, and nothing of the function."""
    model = MODELS[name]()
    x, y = data(model)
    rescaling, of = Rescaling(model), Derivatives(model, x, y)
    for channels in (False, True):
        factors = factors_of(rescaling, channels=channels)
        other = rescaling.apply(factors, x)
        np.testing.assert_allclose(predictions(other, x), predictions(model, x), rtol=0, atol=1e-13)
        assert not np.allclose(weights(other), weights(model), rtol=0.1)
        d = 1 / np.concatenate([m.ravel() for m in rescaling.multipliers(factors)])
        for v in np.random.default_rng(3).standard_normal((3, len(d))):
            gradient, product = of(model, d * v)
            moved_gradient, moved_product = of(other, v)
            for found, expected in ((moved_gradient, d * gradient), (moved_product, d * product)):
                np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["three", "batch_norm"])
def test_products_against_differences(name):
    """The oracle of the test above, by what has no second tape."""
    model = MODELS[name]()
    of, theta, fixed = Derivatives(model, *data(model)), weights(model), statistics(model)
    v = np.random.default_rng(0).standard_normal(len(theta))
    _, product = of(model, v)
    ends = [of.at(theta + sign * 1e-7 * v, fixed, v)[0] for sign in (1, -1)]
    found = (ends[0] - ends[1]) / 2e-7
    np.testing.assert_allclose(found, product, rtol=0, atol=1e-6 * np.abs(product).max())


@pytest.mark.parametrize("name", MODELS)
def test_group(name):
    """T_a T_b = T_ab, and T_a T_1/a = 1, to 1e-13."""
    model = MODELS[name]()
    rescaling = Rescaling(model)
    a, b = factors_of(rescaling, 1), factors_of(rescaling, 2)
    x, _ = data(model)
    twice = Rescaling(rescaling.apply(a, x)).weights(b)
    once = rescaling.weights({key: a[key] * b[key] for key in a})
    back = Rescaling(rescaling.apply(a, x)).weights({key: 1 / a[key] for key in a})
    for one, other, start, weight in zip(twice, once, back, model.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(start, weight.numpy(), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("alpha", [1e-3, 0.7, 1e3])
def test_volume(alpha):
    """The determinant is alpha^(n1 - n2), and that of the map from weights to weights."""
    model = dense(5, 7, 3)
    rescaling = Rescaling(model)
    (unit,) = rescaling.units
    n1, n2 = 5 * 7, 7 * 3
    assert rescaling.log_volume({unit.name: alpha}) == pytest.approx((n1 - n2) * np.log(alpha), rel=1e-12)
    basis, columns = np.eye(n1 + n2), []
    start = np.concatenate([w.ravel() for w in rescaling.weights({unit.name: alpha})])
    for direction in basis:
        parts = np.split(weights(model) + direction, [n1])
        model.set_weights([p.reshape(w.shape) for p, w in zip(parts, model.weights, strict=True)])
        columns.append(np.concatenate([w.ravel() for w in rescaling.weights({unit.name: alpha})]) - start)
        model.set_weights([(p - d).reshape(w.shape) for p, d, w in zip(parts, np.split(direction, [n1]), model.weights,
                                                                       strict=True)])  # fmt: skip
    assert np.linalg.slogdet(columns)[1] == pytest.approx(rescaling.log_volume({unit.name: alpha}), abs=1e-8)


def test_layers_of_the_thesis():
    """T(theta_k) = a_k theta_k with product 1; biases take a_1 ... a_k."""
    model = MODELS["biases"]()
    rescaling, alphas = Rescaling(model), [4.0, 0.5, 0.5]
    moved = rescaling.weights(rescaling.of_layers(alphas))
    for k, layer in enumerate(model.layers):
        np.testing.assert_allclose(moved[2 * k], alphas[k] * layer.kernel.numpy())
        np.testing.assert_allclose(moved[2 * k + 1], np.prod(alphas[: k + 1]) * layer.bias.numpy())
    with pytest.raises(UserError, match=r"multiply to 2\.0, expected 1"):
        rescaling.of_layers([2.0, 2.0, 0.5])
    with pytest.raises(UserError, match="got 2 factors of layers, expected 3"):
        rescaling.of_layers([2.0, 0.5])


def test_batch_norm_both_ways():
    """(a) gamma and beta, (b) the kernel before it: mean a, variance a^2 (v + eps) - eps, refused where negative."""
    model = convolutional(norm(epsilon=0.1), None)
    rescaling, bn = Rescaling(model), model.layers[1]
    before, after, last = rescaling.units
    assert (before.name, after.name, before.moves_statistics, after.moves_statistics) == (
        *("conv2d" + model.layers[0].name.removeprefix("conv2d"), bn.name),
        *(True, False),
    )
    x, _ = data(model)
    moved = rescaling.apply({before.name: 3.0}, x).layers[1]
    np.testing.assert_allclose(moved.moving_mean, 3 * bn.moving_mean.numpy())
    np.testing.assert_allclose(moved.moving_variance, 9 * (bn.moving_variance.numpy() + 0.1) - 0.1)
    np.testing.assert_array_equal(moved.gamma, bn.gamma.numpy())
    least = np.sqrt(0.1 / (bn.moving_variance.numpy() + 0.1).min())
    with pytest.raises(UserError, match=rf"{before.name}: a running variance .* at least {least:.3g}"):
        rescaling.weights({before.name: 0.9 * least})
    rescaling.apply({before.name: 1.01 * least}, x)
    # Forgetting the epsilon is seen by the check on data.
    wrong = rescaling.weights({before.name: 3.0})
    wrong[5] = 9 * bn.moving_variance.numpy()
    model.set_weights(wrong)
    other = Rescaling(model).apply({last.name: 2.0}, x)
    assert np.abs(predictions(other, x) - predictions(convolutional(norm(epsilon=0.1), None), x)).max() > 1e-3


def one_between(layer, last=None):
    return keras.Sequential(
        [keras.Input((3,), **F64), L.Dense(4, name="first", **F64), layer, *(last or [L.Dense(2, **F64)])]
    )


REFUSED = {
    "another activation": (L.Activation("tanh", name="bend", **F64), "bend: the activation tanh is not positively"),
    "a cut": (L.ReLU(max_value=6.0, name="relu6", **F64), "relu6: a ReLU with a maximum or a threshold"),
    "unknown": (L.UnitNormalization(name="unit", **F64), "unit: a UnitNormalization is not known to be homogeneous"),
    "layer norm": (L.LayerNormalization(name="ln", **F64), "ln: a LayerNormalization does not pass a factor on"),
    "a model": (keras.Sequential([keras.Input((4,)), L.ReLU(**F64)], name="inner"), "inner: a Sequential is not known"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_the_layers_name(case):
    layer, why = REFUSED[case]
    rescaling = Rescaling(one_between(layer))
    with pytest.raises(UserError, match=f"first cannot be rescaled: {why}"):
        rescaling.weights({"first": 2.0})


def test_what_is_next_to_what_is_refused():
    """A layer norm's own gamma and beta still give; the output never does."""
    model = one_between(L.LayerNormalization(name="ln", **F64), [L.ReLU(**F64), L.Dense(2, name="last", **F64)])
    rescaling = Rescaling(model)
    assert [unit.name for unit in rescaling.units] == ["ln"]
    rescaling.apply({"ln": 7.0}, data(model)[0])
    with pytest.raises(UserError, match="last cannot be rescaled: it is the model's output"):
        rescaling.weights({"last": 2.0})
    with pytest.raises(UserError, match=r"unit is 'other', expected one of ln"):
        rescaling.weights({"other": 2.0})


@pytest.mark.parametrize("alpha", [0.0, -1.0, np.inf, np.nan])
def test_alpha_is_positive_and_finite(alpha):
    rescaling = Rescaling(dense(3, 4, 2))
    with pytest.raises(UserError, match="expected a positive finite number"):
        rescaling.weights({rescaling.units[0].name: alpha})


def test_weights_that_would_vanish_or_overflow():
    """Zeros stay zeros: a dead unit is rescaled like any other."""
    model = dense(3, 4, 2)
    kernel = model.weights[0].numpy()
    kernel[:, 1] = 0
    model.weights[0].assign(kernel)
    rescaling = Rescaling(model)
    name = rescaling.units[0].name
    rescaling.apply({name: 1e3}, data(model)[0])
    for alpha in (1e-320, 1e-308 * 1e-14):
        with pytest.raises(UserError, match="would be infinite or vanish"):
            rescaling.weights({name: alpha})
    with pytest.raises(UserError, match=r"factors of shape \(3,\), expected one number or 4"):
        rescaling.weights({name: [1.0, 2.0, 3.0]})


def test_what_has_no_graph():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(UserError, match="a Own without a graph of layers"):
        Rescaling(Own(name="own"))
    shared, image = L.Dense(3, name="twice", **F64), keras.Input((3,))
    with pytest.raises(UserError, match="a layer of twice is used more than once"):
        Rescaling(keras.Model(image, shared(shared(image))))
    with pytest.raises(UserError, match="without a graph of layers"):
        Rescaling(keras.Sequential([L.Dense(3)], name="not_built"))


def test_powers_of_two_keep_float32_to_the_bit():
    model = keras.Sequential([keras.Input((6,)), *(L.Dense(8, activation="relu") for _ in range(2)), L.Dense(3)])
    x = np.random.default_rng(0).standard_normal((20, 6)).astype("float32")
    before = model.predict(x, verbose=0)
    rescaling = Rescaling(model)
    model.set_weights(rescaling.weights({u.name: 2.0**k for u, k in zip(rescaling.units, (9, -7), strict=True)}))
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
