"""A density as Keras trains it: `compile`, `fit`, `evaluate` and `predict` by maximum likelihood."""

from typing import Any, TypeAlias

import keras
import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.models.objectives import bits_per_dim, maximum_likelihood, weight_penalty

Data: TypeAlias = tf.Tensor | tuple[tf.Tensor | None, ...]  # x, (x,) or (x, None, weights), as Keras hands a batch over


class MaximumLikelihood(keras.Model):
    """What of a `Flow` Keras' trainer calls.

        flow.compile(optimizer="adam", l2=5e-5)
        flow.fit(images, validation_data=held_out, batch_size=64, epochs=20)

    The data is x alone: arrays, or a `tf.data.Dataset` of batches of x or of (x, None, sample_weight). A step is one
    of `nvp_tf.train`'s: noise that is fresh each step, the mean over the whole batch of all replicas, batch statistics
    over all of them. `evaluate` scores with the fixed noise of `log_prob`, `predict` gives log_prob [n]. Under a
    MirroredStrategy Keras wants a first batch of equal parts, and none with less than an example a replica.

    Metrics: `loss`, nats an example with the penalty, each example times its sample_weight, as Keras has it; and
    `bits_per_dim` of images or `nats` of vectors, averages that sample_weight weighs.
    """

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        l2: float = 0.0,
        seed: int = 0,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
    ) -> None:
        """Makes ready for `fit` and `evaluate`. The loss is the likelihood's, so there is none to choose.

        Args:
          optimizer: Keras' own, or its name.
          l2: factor of the sum of squares of the weight-norm scales.
          seed: of the noise; the noise of a step is a function of it and of `optimizer.iterations`.
          run_eagerly, steps_per_execution, jit_compile: as of `keras.Model.compile`.
        """
        super().compile(
            optimizer=optimizer,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )
        self.l2, self.seed = l2, seed
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.score_tracker = keras.metrics.Mean(name="bits_per_dim" if self.event.is_image else "nats")

    def fit(
        self,
        x: Any = None,
        y: None = None,
        *,
        sample_weight: Any = None,
        validation_data: Any = None,
        **options: Any,
    ) -> keras.callbacks.History:
        """`keras.Model.fit`, of x alone; validation_data is x, or (x, None, sample_weight)."""
        if isinstance(validation_data, tuple):
            x_valid, y_valid, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
            validation_data = keras.utils.pack_x_y_sample_weight(x_valid, _carrying(weights, y_valid), weights)
        return super().fit(
            x,
            _carrying(sample_weight, y),
            sample_weight=sample_weight,
            validation_data=validation_data,
            **options,
        )

    def evaluate(self, x: Any = None, y: None = None, *, sample_weight: Any = None, **options: Any) -> Any:
        """`keras.Model.evaluate`, of x alone."""
        return super().evaluate(x, _carrying(sample_weight, y), sample_weight=sample_weight, **options)

    def get_compile_config(self) -> dict[str, Any]:
        if not self.compiled:
            return {}
        names = ("l2", "seed", "run_eagerly", "steps_per_execution", "jit_compile")
        optimizer = keras.saving.serialize_keras_object(self.optimizer)
        return {"optimizer": optimizer} | {name: getattr(self, name) for name in names}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**config | {"optimizer": keras.saving.deserialize_keras_object(config["optimizer"])})
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.loss_tracker, self.score_tracker] if self.compiled else []

    def train_step(self, data: Data) -> dict[str, tf.Tensor]:
        x, weights = _unpacked(data)
        noise = self._fresh_noise(x) if self.event.is_image else None
        with tf.GradientTape() as tape:
            log_prob = self.log_prob(x, noise, training=True)
            weights = _of_rows(weights, log_prob)
            total, _ = maximum_likelihood(log_prob, self.weight_scales, self.l2, weights)
            scaled = self.optimizer.scale_loss(total)
        variables = self.trainable_variables
        # Keras sums these over replicas.
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        return self._measured(log_prob, weights)

    def test_step(self, data: Data) -> dict[str, tf.Tensor]:
        x, weights = _unpacked(data)
        log_prob = self.log_prob(x)
        return self._measured(log_prob, _of_rows(weights, log_prob))

    def predict_step(self, data: Data) -> tf.Tensor:
        x, *_ = keras.utils.unpack_x_y_sample_weight(data)
        return self.log_prob(x)

    def _fresh_noise(self, x: tf.Tensor) -> tf.Tensor:
        """Noise of x's shape for the step that is due, another on each replica."""
        step = tf.cast(self.optimizer.iterations, tf.int64)
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.random.fold_in(tf.stack([tf.constant(self.seed, tf.int64), step]), replica)
        return tf.random.stateless_uniform(tf.shape(x), seed)

    def _measured(self, log_prob: tf.Tensor, weights: tf.Tensor | None) -> dict[str, tf.Tensor]:
        """The metrics, after a batch more."""
        nats = -log_prob
        penalty = tf.cast(self.l2 * weight_penalty(self.weight_scales), nats.dtype)
        self.loss_tracker.update_state((nats if weights is None else weights * nats) + penalty)
        score = bits_per_dim(log_prob, self.event.dimensions) if self.event.is_image else nats
        self.score_tracker.update_state(score, sample_weight=weights)
        return self.get_metrics_result()


def _carrying(weights: Any, y: Any) -> Any:
    """Targets for Keras, which forgets the weights of data that has none: nobody looks at them."""
    return weights if y is None else y


def _unpacked(data: Data) -> tuple[tf.Tensor, tf.Tensor | None]:
    """(x, sample weights)."""
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    if y is not None and weights is None:
        raise UserError("the data has targets, too, expected x alone, or (x, None, sample_weight)")
    return x, weights


def _of_rows(weights: tf.Tensor | None, log_prob: tf.Tensor) -> tf.Tensor | None:
    """Sample weights as [n]: [n, 1] would make a matrix of the product."""
    return None if weights is None else tf.reshape(tf.cast(weights, log_prob.dtype), tf.shape(log_prob))
