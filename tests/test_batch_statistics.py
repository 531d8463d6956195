"""Batch normalization's statistics from many batches: their mean, and all of their variance."""

import dataclasses

import numpy as np
import tensorflow as tf
from brief import brief, train
from cases import randomize

import nvp_tf
from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.pipeline import training_batches
from nvp_tf.data.registry import load_dataset
from nvp_tf.evaluation.evaluator import Evaluator
from nvp_tf.models.build import build
from nvp_tf.training.batch_statistics import BatchStatistics

DIGITS = load_dataset(DataConfig("digits"))
SMALL = [f"model.flow.{key}" for key in ("filters=4", "blocks=1", "couplings=1", "scales=1")]
CONFIG = nvp_tf.preset("realnvp_digits", *SMALL)
BATCHES, SIZE = 12, 50
WIDE = from_arrays(5 * np.random.RandomState(0).randn(200, 3).astype(np.float32))


def test_statistics_are_those_of_all_batches_together():
    flow = randomize(build(CONFIG.model), 1, 0.2)
    first = flow.bijector.layers[1]  # after the pixels; its network begins with a batch norm of the masked input
    inputs = [
        flow.bijector.layers[0].forward(flow.pixels.dequantize(batch["x"], batch["noise"]))[0]
        for batch in training_batches(DIGITS.train, SIZE, 0).take(BATCHES)
    ]
    x = tf.concat(inputs, axis=0).numpy().astype(np.float64) * first.mask
    statistics = BatchStatistics(flow, DIGITS.train, SIZE, 0, BATCHES)
    spoilt = Evaluator(flow).evaluate(DIGITS.valid)["bits_per_dim"]
    trained = [weight.numpy() for weight in flow.trainable_weights]
    statistics.recompute()
    norm = first.network.norm_in
    np.testing.assert_allclose(norm.running_mean, x.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(norm.running_variance, x.var(axis=(0, 1, 2)), rtol=1e-4)
    assert Evaluator(flow).evaluate(DIGITS.valid)["bits_per_dim"] < spoilt - 0.1
    for before, weight in zip(trained, flow.trainable_weights, strict=True):
        np.testing.assert_array_equal(before, weight.numpy())
    before = [weight.numpy() for weight in flow.weights]
    statistics.recompute()  # They depend on the weights and the batches, not on what was there.
    for a, b in zip(before, flow.weights, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


def test_training_with_and_without(tmp_path):
    """What is learned is the same; scored are, and kept with the weights, the statistics of so many batches."""
    config = brief("model.flow.batch_norm=true", "train.ema_decay=0")
    with_them = dataclasses.replace(config, train=dataclasses.replace(config.train, recompute_statistics=BATCHES))
    runs = [train(each, tmp_path / str(i), WIDE) for i, each in enumerate((config, with_them))]
    flows = [run.load_flow("last") for run in runs]
    for a, b in zip(*(flow.trainable_weights for flow in flows), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    scores = [run.read_metrics()[-1]["valid_log_prob"] for run in runs]
    assert scores[1] > scores[0]  # 6 steps are too few for the running ones
    kept = [weight.numpy() for weight in flows[1].weights]
    BatchStatistics(flows[1], WIDE.train, config.train.batch_size, 0, BATCHES).recompute()
    for a, b in zip(kept, flows[1].weights, strict=True):
        np.testing.assert_array_equal(a, b.numpy())
