"""Couplings computed again in the backward pass: the plain training step in all but memory. Rows of cases.py, too."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import randomize, recomputing
from sgd import SGD

from nvp_tf.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    NICEConfig,
    PixelsConfig,
    RealNVPConfig,
    TrainConfig,
    VectorRealNVPConfig,
)
from nvp_tf.layers.recompute import computed_again, recomputed
from nvp_tf.models.build import build
from nvp_tf.training.distributed.strategies import make_strategy
from nvp_tf.training.state import TrainingState

IMAGE = {"scales": 1, "couplings": 1, "filters": 4, "blocks": 1}
MODELS = {
    "masked": ModelConfig((4, 4, 2), RealNVPConfig(**IMAGE), PixelsConfig()),
    "packed": ModelConfig((4, 4, 2), RealNVPConfig(**IMAGE | {"blocks": 0}, checkerboard="packed"), PixelsConfig()),
    "vector": ModelConfig((5,), VectorRealNVPConfig(2, 2, 8, batch_norm=True)),
    "nice": ModelConfig((3, 2, 1), NICEConfig(2, 2, 8), PixelsConfig(alpha=0.0), "logistic"),
}


def data(config, n=6, dtype="float64"):
    rng = np.random.default_rng(0)
    shape = (n, *config.event_shape)
    x = rng.integers(0, 256, shape).astype("uint8") if config.pixels else rng.standard_normal(shape).astype(dtype)
    return x, rng.random(shape).astype(dtype)


def gradients(config, dtype, recompute, compiled, network_dtype=None):
    """(gradients of the mean log_prob, running statistics after it) of the same weights each time, flat."""
    flow = randomize(build(config, dtype, network_dtype), spread=0.5)
    if recompute:
        recomputing(flow)
    x, noise = data(config, dtype=dtype)

    def of_mean():
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(flow.log_prob(x, noise, training=True))
        return tape.gradient(mean, [w.value for w in flow.trainable_weights])

    found = tf.function(of_mean, autograph=False)() if compiled else of_mean()
    return [np.concatenate([np.ravel(v) for v in values]) for values in (found, [[0.0], *flow.non_trainable_weights])]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("masked", "float64"),
        pytest.param("masked", "float32", marks=pytest.mark.slow),
        pytest.param("packed", "float64", marks=pytest.mark.slow),
        ("vector", "float32"),
        ("nice", "float64"),
    ],
)
def test_gradients_and_statistics_are_the_plain_ones(name, dtype):
    bound = {"float64": 1e-12, "float32": 1e-6}[dtype]
    plain, again = (gradients(MODELS[name], dtype, recompute, compiled=True) for recompute in (False, True))
    for a, b in zip(plain, again, strict=True):
        assert np.linalg.norm(a - b) <= bound * np.linalg.norm(a)
    assert np.linalg.norm(plain[0]) > 0.1


@pytest.mark.parametrize("network_dtype", [None, "bfloat16"])
@pytest.mark.parametrize("name", ["masked", "nice"])
def test_without_a_compiler_to_the_bit(name, network_dtype):
    plain, again = (gradients(MODELS[name], "float32", again, False, network_dtype) for again in (False, True))
    for a, b in zip(plain, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_replicas():
    """Five steps: the statistics are those of the whole batch in the second computation, too."""
    flow = RealNVPConfig(scales=1, couplings=1, filters=3, blocks=0)
    model = ModelConfig((4, 4, 1), flow, PixelsConfig())
    (before, plain), (_, two) = (steps(model, recompute, number) for recompute, number in ((False, 1), (True, 2)))
    assert max(np.abs(a - b).max() for a, b in zip(before, plain, strict=True)) > 0.01
    for a, b in zip(plain, two, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5)


def steps(model, recompute, number):
    """Weights and statistics before and after steps of SGD, which does not hide a gradient's scale as Adam does."""
    config = Config(model, DataConfig("none"), TrainConfig(recompute_couplings=recompute))
    strategy = tf.distribute.MirroredStrategy(["CPU:0"]) if number == 1 else make_strategy("mirrored")
    keras.utils.set_random_seed(0)
    with strategy.scope():
        state = TrainingState(config)
        randomize(state.flow, spread=0.5)
        state.optimizer = SGD(0.01)
        state.optimizer.build(state.flow.trainable_variables)
    x, noise = data(model, 7, "float32")
    cuts = [slice(0, 7)] if number == 1 else [slice(0, 4), slice(4, 7)]

    def values(array):
        parts = strategy.experimental_distribute_values_from_function
        return parts(lambda context: tf.constant(array[cuts[context.replica_id_in_sync_group]]))

    batch = {"x": values(x), "noise": values(noise)}
    step = tf.function(lambda batch: strategy.run(state.replica_step, args=(batch,)), autograph=False)
    before = state.flow.get_weights()
    for _ in range(5):
        step(batch)
    return before, state.flow.get_weights()


def test_nothing_else_is_kept_and_the_second_time_says_so():
    calls = []

    def cube(x):
        calls.append(computed_again())
        return x * x * x, tf.ones([2])

    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y, _ = recomputed(lambda x: recomputed(cube, x), x)
    assert calls == [False]
    np.testing.assert_array_equal(tape.gradient(y, x), [3.0, 12.0])
    assert calls == [False, True, True] and not computed_again()
