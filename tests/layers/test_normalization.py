"""Batch normalization in training, of the flow's kind and of the networks'. Evaluation is in `conformance/`."""

import numpy as np
import pytest
import tensorflow as tf

from nvp_tf.layers import masks
from nvp_tf.layers.network_norm import BatchNorm
from nvp_tf.layers.normalization import BatchNormalization
from nvp_tf.training.distributed.strategies import make_strategy

MASKS = {
    "vector": masks.parity(5),
    "checkerboard": masks.checkerboard(3, 3, 2),
    "channel": masks.channel(2, 2, 4, swap=True),
}


def built(layer, shape):
    layer.build((None, *shape))
    return layer


def inputs(shape, n=6, dtype="float64"):
    return (3 + 2 * np.random.default_rng(0).standard_normal((n, *shape))).astype(dtype)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_training_normalizes_the_changed_entries(mask):
    layer, x = built(BatchNormalization(mask, momentum=0.75, dtype="float64"), mask.shape), inputs(mask.shape)
    y, log_det = (part.numpy() for part in layer.forward(x, training=True))
    expected_log_det = 0.0
    for c in range(mask.shape[-1]):
        changed = ~mask[..., c]
        np.testing.assert_array_equal(y[..., c][:, mask[..., c]], x[..., c][:, mask[..., c]])
        mean, variance = 0.0, 1.0  # where a channel is kept whole
        if changed.any():
            values = x[..., c][:, changed]
            mean, variance = values.mean(), values.var()
            expected = (values - mean) / np.sqrt(variance + 1e-4)
            np.testing.assert_allclose(y[..., c][:, changed], expected, atol=1e-12)
            expected_log_det -= 0.5 * changed.sum() * np.log(variance + 1e-4)
        # Moved once, by 1 - momentum, from 0 and 1.
        np.testing.assert_allclose(layer.running_mean[c], 0.25 * mean, atol=1e-12)
        np.testing.assert_allclose(layer.running_variance[c], 0.75 + 0.25 * variance, atol=1e-12)
    np.testing.assert_allclose(log_det, np.full(len(x), expected_log_det), atol=1e-12)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_evaluation_and_inverse_move_nothing(mask):
    layer, x = built(BatchNormalization(mask, dtype="float64"), mask.shape), inputs(mask.shape)
    layer.forward(x)
    layer.inverse(x)
    assert not layer.running_mean.numpy().any() and (layer.running_variance.numpy() == 1).all()


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_evaluation_and_inverse_use_the_running_statistics(mask):
    layer, x = built(BatchNormalization(mask, dtype="float64"), mask.shape), inputs(mask.shape)
    mean, variance = np.arange(1.0, 1 + mask.shape[-1]), np.arange(0.5, 0.5 + mask.shape[-1])
    layer.running_mean.assign(mean)
    layer.running_variance.assign(variance)
    deviation = np.sqrt(variance + 1e-4)
    log_det = np.full(len(x), -(~mask * np.log(deviation)).sum())
    y, forward_log_det = layer.forward(x)
    np.testing.assert_allclose(y, np.where(mask, x, (x - mean) / deviation), atol=1e-12)
    np.testing.assert_allclose(forward_log_det, log_det, atol=1e-12)
    back, inverse_log_det = layer.inverse(x)
    np.testing.assert_allclose(back, np.where(mask, x, x * deviation + mean), atol=1e-12)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-12)


def test_the_networks_fused_and_unfused_agree():
    x = inputs((4, 4, 2), dtype="float32")
    fused, unfused = built(BatchNorm(0.75), (4, 4, 2)), built(BatchNorm(0.75), (4, 4, 2))
    assert fused._has_kernel(tf.constant(x))
    unfused._has_kernel = lambda x: False
    np.testing.assert_allclose(fused(x, training=True), unfused(x, training=True), atol=1e-5)
    np.testing.assert_allclose(fused(x), unfused(x), atol=1e-5)  # the running ones, the biased variance among them
    np.testing.assert_allclose(fused.running_variance, unfused.running_variance, rtol=1e-5)


@pytest.mark.parametrize(("shape", "dtype"), [((4, 4, 2), "float64"), ((4, 4, 2), "float32"), ((5,), "float32")])
def test_the_networks_batch_norm(shape, dtype):
    """float32 images take the fused kernel, everything else the moments."""
    layer, x = built(BatchNorm(0.75, dtype=dtype), shape), inputs(shape, dtype=dtype)
    layer.beta.assign(np.arange(shape[-1]))
    y = layer(x, training=True)
    flat = x.reshape(-1, shape[-1]).astype("float64")
    mean, variance = flat.mean(axis=0), flat.var(axis=0)
    bound = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-4) + np.arange(shape[-1]), atol=bound)
    np.testing.assert_allclose(layer.running_mean, 0.25 * mean, atol=bound)
    np.testing.assert_allclose(layer.running_variance, 0.75 + 0.25 * variance, atol=bound)


@pytest.mark.parametrize(
    ("kind", "dtype", "bound"),
    [(BatchNormalization, "float64", 1e-12), (BatchNorm, "float64", 1e-12), (BatchNorm, "float32", 1e-5)],
)
def test_two_replicas_share_their_statistics(kind, dtype, bound):
    """Two unequal halves of a batch give what the whole gives: values, gradients and running statistics."""
    mask = MASKS["checkerboard"]
    arguments = {"mask": mask} if kind is BatchNormalization else {}
    x = inputs(mask.shape, dtype=dtype)
    g = np.random.default_rng(1).normal(size=x.shape).astype(dtype)
    strategy = make_strategy("mirrored")  # the process' one, on the two devices of conftest.py

    def found(layer, x, g):
        """(y, gradients of sum(g y + y^2) by x and by the layer's weights)."""
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.nest.flatten(layer(x, training=True))[0]
            total = tf.reduce_sum(g * y + y * y)
        return y, *tape.gradient(total, [x, *layer.trainable_variables])

    def parts(value):
        return strategy.experimental_distribute_values_from_function(
            lambda c: tf.constant(value[:4] if c.replica_id_in_sync_group == 0 else value[4:])
        )

    whole = built(kind(**arguments, dtype=dtype), mask.shape)
    expected = found(whole, tf.constant(x), tf.constant(g))
    with strategy.scope():
        layer = built(kind(**arguments, dtype=dtype), mask.shape)
    run = tf.function(lambda *values: found(layer, *values), autograph=False)
    y, by_x, *by_weights = map(strategy.experimental_local_results, strategy.run(run, (parts(x), parts(g))))
    of_all = [np.concatenate(y), np.concatenate(by_x), *map(sum, by_weights)]
    for got, value in zip(of_all, expected, strict=True):
        np.testing.assert_allclose(got, value, atol=bound * np.abs(value).max(), rtol=0)
    np.testing.assert_allclose(layer.running_mean.numpy(), whole.running_mean.numpy(), atol=bound)
    np.testing.assert_allclose(layer.running_variance.numpy(), whole.running_variance.numpy(), atol=bound)
