"""Batch normalization's running statistics, computed anew from many batches.

The running ones follow the last few batches: with momentum 0.9 about ten, and of weights that have moved since.
A held-out score computed with them jumps from one evaluation to the next.
"""

import itertools

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.data.pipeline import training_calls
from nvp_tf.data.split import Split
from nvp_tf.layers.keras_private import all_layers
from nvp_tf.layers.sharing import sharing
from nvp_tf.models.flow import Flow
from nvp_tf.training.distributed.strategies import distributed


class BatchStatistics:
    """Recomputes the running statistics of every batch normalization of a flow, those of its networks too.

    For each of them, from the mean m_k and variance s_k of its inputs in batch k (Wu and Johnson 2021):

        mean = average of m_k,    variance = average of s_k + variance of m_k

    where each batch is normalized with its own statistics all the way down, as in training.

    Args:
      flow: a `Flow`.
      split: the training `Split`. batch_size, seed: as in training.
      batches: how many of training's first batches.
      strategy: spreads each batch over its replicas, as in training; None for the current one.
    """

    def __init__(
        self,
        flow: Flow,
        split: Split,
        batch_size: int,
        seed: int,
        batches: int,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        strategy = strategy or tf.distribute.get_strategy()
        self.layers = [layer for layer in all_layers(flow) if hasattr(layer, "running_variance")]
        self.count = batches
        self.batches = distributed(
            strategy, lambda pipeline: training_calls(split, batch_size, seed, range(batches), 1, pipeline)
        )

        @sharing()
        def normalize(batch: dict[str, tf.Tensor]) -> None:
            batch = {name: value[:, 0] for name, value in batch.items()}
            flow.log_prob(batch["x"], batch.get("noise"), training=True)

        self._move = tf.function(lambda batch: strategy.run(normalize, args=(batch,)), autograph=False)

    def recompute(self) -> None:
        """Sets them. The weights and the batches alone decide to what; does nothing without batch normalization."""
        if not self.layers:
            return
        found = [self._of(batch) for batch in itertools.islice(self.batches, self.count)]
        for number, layer in enumerate(self.layers):
            means, variances = (np.stack([one[number][part] for one in found]) for part in (0, 1))
            layer.running_mean.assign(means.mean(axis=0))
            layer.running_variance.assign(variances.mean(axis=0) + means.var(axis=0))

    def _of(self, batch: dict[str, tf.Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
        """[(mean, variance)] of one batch, a pair a layer, float64."""
        # A step moves them by (1 - momentum) towards the batch's: from 0, to that part of it.
        for layer in self.layers:
            layer.running_mean.assign(tf.zeros_like(layer.running_mean))
            layer.running_variance.assign(tf.zeros_like(layer.running_variance))
        self._move(batch)

        def found(running: keras.Variable, momentum: float) -> np.ndarray:
            return tf.convert_to_tensor(running).numpy().astype(np.float64) / (1 - momentum)

        return [
            (found(layer.running_mean, layer.momentum), found(layer.running_variance, layer.momentum))
            for layer in self.layers
        ]
