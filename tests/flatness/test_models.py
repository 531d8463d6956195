"""A float64 model from a file, a run or a live model: the same predictions, and the original as it was."""

import keras
import numpy as np
import pytest
from subjects import L, normal

from nvp_tf.errors import UserError
from nvp_tf.flatness.clone import float64_clone
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.models import open_model, subject

X, Y = normal(6, 6, 6, 1).astype("float32"), np.arange(6) % 3


def classifier(*last):
    model = keras.Sequential([
        *(keras.Input((6, 6, 1)), L.Conv2D(2, 3, activation="relu"), L.BatchNormalization(), L.Flatten()),
        *last,
    ])  # fmt: skip
    model.compile(loss="sparse_categorical_crossentropy")
    return model


class Own(keras.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.head = L.Dense(4, "tanh", dtype=self.dtype_policy), L.Dense(units, dtype=self.dtype_policy)
        self.units = units

    def call(self, x):
        return self.head(self.hidden(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def nested():
    inner = keras.Sequential([keras.Input((6,)), L.Dense(4, activation="tanh")])
    x = keras.Input((6, 6))
    return keras.Model(x, L.Dense(3)(L.Bidirectional(L.GRU(2))(L.TimeDistributed(inner)(x))))


def own():
    model = Own()
    model(np.zeros((1, 6), "float32"))
    return model


MODELS = {
    "dense": (lambda: classifier(L.Dense(3, activation="softmax")), X),
    "nested": (nested, X[..., 0]),
    "own": (own, X[:, 0, :, 0]),
}


@pytest.mark.parametrize("name", MODELS)
def test_float64_clone(name):
    make, x = MODELS[name]
    model = make()
    clone = float64_clone(model, x)
    assert clone is not model and {str(v.dtype) for v in clone.trainable_variables} == {"float64"}
    assert {str(v.dtype) for v in model.trainable_variables} == {"float32"}
    np.testing.assert_allclose(clone(x.astype("float64")), model(x), atol=1e-5)
    for ours, theirs in zip(clone.weights, model.weights, strict=True):
        assert np.array_equal(ours.value.numpy(), theirs.value.numpy().astype("float64"))


@pytest.mark.parametrize("last", [
    [L.Dense(3, activation="softmax")],
    [L.Dense(3), L.Softmax()],
    [L.Dense(3), L.Activation("softmax")],
], ids=["activation", "layer", "activation layer"])  # fmt: skip
def test_outputs_are_logits_and_the_loss_is_the_same(last):
    model = classifier(*last)
    probabilities = model(X).numpy().astype("float64")
    c = Curvature.of(subject(model, X, Y, batch_size=4))
    assert c.loss_function.kind == "softmax"
    z = c.outputs()
    np.testing.assert_allclose(np.exp(z) / np.exp(z).sum(1, keepdims=True), probabilities, atol=1e-6)
    np.testing.assert_allclose(c.losses(), -np.log(probabilities[np.arange(6), Y]), atol=1e-5)
    np.testing.assert_array_equal(model(X), probabilities.astype("float32"))  # it kept its softmax


def test_file(tmp_path):
    model = classifier(L.Dense(3, activation="softmax"))
    model.save(tmp_path / "it.keras")
    live, stored = (subject(source, X, Y) for source in (model, tmp_path / "it.keras"))
    np.testing.assert_array_equal(Curvature.of(live).losses(), Curvature.of(stored).losses())
    assert stored.name == "it.keras" and "copy in float64" in stored.notes[0]
    (tmp_path / "not.keras").write_text("no zip")
    with pytest.raises(UserError, match=r"not\.keras cannot be read as a Keras model"):
        open_model(tmp_path / "not.keras")


def test_a_model_that_cannot_be_made_anew():
    class Closed(keras.Model):
        def __init__(self, made):
            super().__init__()
            self.made = made

        def call(self, x):
            return self.made(x)

    closed = Closed(L.Dense(2))
    closed(X[:, 0, :, 0])
    with pytest.raises(UserError, match="cannot be made anew in float64"):
        float64_clone(closed)
    wide = Closed(L.Dense(2, dtype="float64"))
    wide(X[:, 0, :, 0].astype("float64"))
    assert float64_clone(wide) is wide
