"""A flow in Keras' hands: `fit` takes exact steps of maximum likelihood, on any number of replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import randomize
from sgd import SGD

from nvp_tf.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    PixelsConfig,
    RealNVPConfig,
    TrainConfig,
    VectorRealNVPConfig,
)
from nvp_tf.errors import UserError
from nvp_tf.models.build import build
from nvp_tf.models.flow import Flow
from nvp_tf.training.distributed.strategies import make_strategy
from nvp_tf.training.state import TrainingState

IMAGES = ModelConfig((4, 4, 1), RealNVPConfig(scales=1, couplings=1, filters=3, blocks=0), PixelsConfig(17))
VECTORS = ModelConfig((3,), VectorRealNVPConfig(couplings=2, hidden_layers=1, hidden_units=8))
RNG = np.random.default_rng(0)
X = RNG.integers(0, 17, (21, 4, 4, 1), dtype=np.uint8)  # batches of 8, 8 and 5, which two replicas have as 3 and 2
V = RNG.standard_normal((12, 3)).astype(np.float32)
WEIGHTS = RNG.uniform(0, 3, 21).astype(np.float32)


def of_the_image(self, x):
    """Noise that does not depend on who draws it."""
    return tf.math.floormod(0.37 * tf.cast(x, tf.float32), 1.0)


def fitted(strategy, weights=None):
    """(losses, weights and statistics) of six steps of SGD."""
    with strategy.scope():
        keras.utils.set_random_seed(0)
        flow = randomize(build(IMAGES), spread=0.5)
        flow.compile(keras.optimizers.SGD(0.01), l2=0.3)
    history = flow.fit(X, sample_weight=weights, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    return history, flow.get_weights()


def test_two_replicas_are_one(monkeypatch):
    monkeypatch.setattr(Flow, "_fresh_noise", of_the_image)
    two = make_strategy("mirrored")
    assert two.num_replicas_in_sync == 2
    (one_history, one), (two_history, two) = (fitted(s, WEIGHTS) for s in (tf.distribute.get_strategy(), two))
    for name, values in one_history.items():
        np.testing.assert_allclose(two_history[name], values, rtol=1e-5)
    assert one_history["loss"][1] < one_history["loss"][0] - 0.01
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5)


def test_steps_are_those_of_train(monkeypatch):
    """Of the same batches, with the same noise: its loss, penalty and batch statistics."""
    monkeypatch.setattr(Flow, "_fresh_noise", of_the_image)
    state = TrainingState(Config(IMAGES, DataConfig("none"), TrainConfig(l2=0.3, clip_norm=0.0)))
    randomize(state.flow, spread=0.5)
    state.optimizer = SGD(0.01)
    state.optimizer.build(state.flow.trainable_variables)
    step = tf.function(state.replica_step, autograph=False)
    for start in [0, 8, 16] * 2:
        x = X[start : start + 8]
        step({"x": x, "noise": of_the_image(None, x)})
    for a, b in zip(state.flow.get_weights(), fitted(tf.distribute.get_strategy())[1], strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-6)


def test_sample_weights_are_factors():
    """Keras' convention: of the sum, which the number of examples divides."""
    flow, weights = randomize(build(VECTORS), spread=0.5), WEIGHTS[:12]
    variables = [weight.value for weight in flow.trainable_weights]
    before = flow.get_weights()
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(weights * flow.log_prob(V, training=True))
    expected = [0.1 * gradient.numpy() for gradient in tape.gradient(loss, variables)]
    scores = -flow.log_prob(V).numpy()
    flow.compile(keras.optimizers.SGD(0.1))
    found = flow.evaluate(V, sample_weight=weights[:, None], batch_size=5, return_dict=True, verbose=0)
    assert found["loss"] == pytest.approx(np.mean(weights * scores), rel=1e-5)
    assert found["nats"] == pytest.approx(np.average(scores, weights=weights), rel=1e-5)
    data = tf.data.Dataset.from_tensor_slices((V, weights)).batch(12).map(lambda x, w: (x, None, w))
    flow.fit(data, verbose=0)
    for old, new, step in zip(before, flow.get_weights(), expected, strict=True):
        np.testing.assert_allclose(old - new, step, rtol=1e-3, atol=1e-6)


def test_noise_is_fresh_in_training_and_fixed_in_scores():
    def losses(seed):
        """Of four looks at the same images with the same weights."""
        flow = randomize(build(IMAGES), spread=0.5)
        flow.compile(keras.optimizers.SGD(0.0), seed=seed)
        return flow.fit(X, batch_size=21, epochs=4, verbose=0).history["loss"]

    assert len({*losses(0), *losses(1)}) == 8


def test_scores_callbacks_and_files(tmp_path):
    flow = randomize(build(IMAGES), spread=0.3)
    flow.compile("adam", l2=0.3)
    best = tmp_path / "best.keras"
    callbacks = [
        keras.callbacks.ModelCheckpoint(best, monitor="val_bits_per_dim", mode="min", save_best_only=True),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TerminateOnNaN(),
    ]
    data = tf.data.Dataset.from_tensor_slices(X).batch(7)
    history = flow.fit(data, validation_data=X[:10], epochs=3, verbose=0, callbacks=callbacks).history
    assert history.keys() == {"loss", "bits_per_dim", "val_loss", "val_bits_per_dim"}
    assert (tmp_path / "log.csv").read_text().count("\n") == 4
    loaded = keras.saving.load_model(best)
    bits = loaded.bits_per_dim(X[:10]).numpy().mean()
    assert bits == pytest.approx(min(history["val_bits_per_dim"]), rel=1e-5)
    found = loaded.evaluate(X[:10], batch_size=4, return_dict=True, verbose=0)
    penalty = 0.3 * sum(np.sum(np.square(scale)) for scale in loaded.weight_scales)
    assert found["bits_per_dim"] == pytest.approx(bits, rel=1e-5)
    assert found["loss"] == pytest.approx(-loaded.log_prob(X[:10]).numpy().mean() + penalty, rel=1e-5)
    np.testing.assert_allclose(loaded.predict(X, batch_size=8, verbose=0), loaded.log_prob(X), rtol=1e-5)


def test_in_a_functional_model(tmp_path):
    flow = randomize(build(IMAGES), spread=0.3)
    images = keras.Input((4, 4, 1), dtype="uint8")
    model = keras.Model(images, keras.ops.exp(flow(images) / 100))
    assert model.output_shape == (None,)
    model.save(tmp_path / "model.keras")
    for each in (model, keras.saving.load_model(tmp_path / "model.keras")):
        np.testing.assert_allclose(each.predict(X, verbose=0), np.exp(flow.log_prob(X) / 100), rtol=1e-5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((X, np.ones(21)), "the data has targets, too, expected x alone"),
        ((X / 16,), "images have dtype float32, expected integers 0 to 16"),
        ((X[:, :2],), r"data has shape \(None, 2, 4, 1\), expected \(n, 4, 4, 1\)"),
    ],
)
def test_mistakes(data, message):
    flow = build(IMAGES)
    flow.compile()
    with pytest.raises(UserError, match=message):
        flow.fit(*data, verbose=0)
