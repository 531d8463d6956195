"""What cannot be measured is refused in a line that says why; what can is left as it was, to the bit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from subjects import F64, L, curvature, dense, normal, sequential

from nvp_tf.errors import UserError
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.losses import loss_of
from nvp_tf.flatness.models import open_model, subject
from nvp_tf.flatness.operators import hessian
from nvp_tf.flatness.sampling import half_error, halves
from nvp_tf.flatness.spectrum import bottom, minimum, top

SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
X, Y = normal(20, 3), normal(20, 1, seed=1)
NANS = np.where(np.arange(60).reshape(20, 3) == 17 * 3, np.nan, X)


class Walks:
    """Batches that are others each time they are walked."""

    def __init__(self, make):
        self.make, self.walk = make, 0

    def __iter__(self):
        self.walk += 1
        return iter(self.make(np.random.default_rng(self.walk)))


class Fewer(Walks):
    def __init__(self):
        super().__init__(lambda rng: shuffled(rng)[: 4 - self.walk])


def shuffled(rng):
    index = rng.permutation(20)
    return [(X[index[i : i + 10]], Y[index[i : i + 10]]) for i in (0, 10)]


def plain(*layers, **options):
    return lambda: curvature(sequential((3,), *layers, dense(1)), "mse", X, Y, **options)


def with_batches(batches, *layers, **options):
    return lambda: Curvature(sequential((3,), *layers, dense(1)), loss_of("mse"), batches, **options)


class AlwaysDrops(L.Layer):
    def call(self, x):
        return x * tf.random.uniform(tf.shape(x), dtype=x.dtype)


def frozen():
    model = sequential((3,), dense(1))
    model.trainable = False
    return curvature(model, "mse", X, Y)


def in_float32():
    return curvature(keras.Sequential([keras.Input((3,)), L.Dense(1)]), "mse", X, Y)


REFUSED = {
    "dropout": (plain(L.Dropout(0.5, name="drop", **F64), batch_norm="training"), r"random numbers .* in drop: "),
    "randomness of one's own": (plain(AlwaysDrops(**F64)), r"walked twice, .*the model is random"),
    "shuffling": (with_batches(Walks(shuffled), L.BatchNormalization(**F64), batch_norm="training"), "it is shuffled"),
    "another subset": (with_batches(Walks(lambda rng: shuffled(rng)[:1])), "it is shuffled"),
    "fewer each time": (with_batches(Fewer()), "had 20 examples .* and 10 the second time"),
    "an iterator": (with_batches(iter(shuffled(np.random.default_rng(0)))), "can be walked once only"),
    "no batch": (with_batches([]), "there is no batch of data"),
    "no pair": (with_batches([X]), "batch 0 is not a pair"),
    "NaN in the data": (
        with_batches([(NANS[:16], Y[:16]), (NANS[16:], Y[16:])]),
        r"batch 1: x has NaN .* the first is 1$",
    ),
    "NaN in the targets": (with_batches([(X, NANS[:, :1])]), "batch 0: y has NaN"),
    "NaN in the loss": (
        lambda: curvature(sequential((3,), dense(1, activation=tf.math.log)), "mse", X, Y),
        r"batch 0: the loss of \d+ examples is NaN or infinite, the first is \d+: its output is, too",
    ),
    "a label that is no class": (
        lambda: curvature(sequential((3,), dense(2)), SPARSE, X, np.full(20, 7)),
        r"^batch 0: Received a label value of 7 which is outside the valid range",
    ),
    "no trainable weights": (frozen, r"no trainable weights"),
    "float32": (in_float32, "float32, expected float64"),
    "two outputs": (
        lambda: curvature(keras.Model(x := keras.Input((3,), **F64), [dense(1)(x), dense(1)(x)]), "mse", X, Y),
        "has 2 outputs, expected one",
    ),
    "another mode": (plain(batch_norm="eval"), "batch_norm is 'eval', expected one of inference, training"),
    "another loss": (lambda: loss_of("cross entropy"), "loss is 'cross entropy', expected one of sparse"),
    "no loss": (lambda: open_model(sequential((3,), dense(1))), "was not compiled with a loss"),
    "no file": (lambda: open_model("nowhere.keras"), "nowhere.keras is not there"),
    "fewer targets": (lambda: subject(sequential((3,), dense(1)), X, Y[:3], loss="mse"), "20 examples and 3 targets"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    make, message = REFUSED[case]
    with pytest.raises(UserError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_dropout_is_nothing_in_inference():
    v = normal(4)
    with_it, without = (plain(*layers)() for layers in ([L.Dropout(0.5, **F64)], []))
    np.testing.assert_allclose(with_it.hessian(v), without.hessian(v), rtol=1e-12)  # neither depends on the weights


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_nothing_is_assigned_to_the_model(mode):
    model = sequential((3,), L.BatchNormalization(**F64), dense(2, activation="tanh"), dense(1))
    before = [weight.value.numpy() for weight in model.weights]
    c = curvature(model, "mse", X, Y, batch_norm=mode)
    c.hessian(normal(c.dim), at=c.weights + 0.1)
    c.gauss_newton(normal(c.dim))
    for weight, was in zip(model.weights, before, strict=True):
        assert np.array_equal(weight.value.numpy(), was), weight.path


def test_dead_units_and_weights_of_0():
    """A network of no effect has H = 0: it says so."""
    model = sequential((3,), dense(4, activation="relu"), dense(1))
    model.layers[0].bias.assign(np.full(4, -100.0))
    model.layers[1].kernel.assign(np.zeros((4, 1)))
    c = curvature(model, "mse", X, Y)
    h = hessian(c)
    assert np.count_nonzero(h.dense()) == 1  # of the last bias
    high = top(h)
    low = bottom(h, largest=high.values[0])
    np.testing.assert_allclose([high.values[0], low.values[0]], [2, 0], atol=1e-9)
    zero = h.scaled(c.weights)  # the last bias is 0: no weight is left in it
    assert top(zero).values[0] == 0 and bottom(zero, largest=0.0).values[0] == 0
    assert "no minimum" in minimum(c.loss(), c.gradient(), high, low).text


def test_one_example():
    c = curvature(sequential((3,), dense(1)), "mse", X[:1], Y[:1])
    assert c.examples == 1 and halves(c) is None and np.isnan(half_error(lambda part: part.loss(), c))
    np.testing.assert_allclose(top(hessian(c)).values[0], 2 * (1 + np.sum(X[0] ** 2)), rtol=1e-10)


def test_halves():
    c = curvature(sequential((3,), dense(1)), "mse", X, Y, batch_size=7)
    first, second = halves(c)
    assert (first.examples, second.examples) == (10, 10)
    np.testing.assert_allclose(np.sort(np.r_[first.losses(), second.losses()]), np.sort(c.losses()), rtol=1e-12)
    np.testing.assert_allclose(half_error(lambda part: part.loss(), c), abs(first.loss() - second.loss()) / 2)
