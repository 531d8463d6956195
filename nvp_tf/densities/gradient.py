"""Families that minimize a loss by Adam."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from nvp_tf.config.codec import Section, number
from nvp_tf.data.split import Split
from nvp_tf.densities.budget import Budget, Fit
from nvp_tf.densities.contract import Density
from nvp_tf.densities.descent import Descent, cosine

_WARM_UP = 50  # steps


@dataclass(frozen=True)
class Trainable(Section):
    """How a `GradientDensity` is trained."""

    batch_size: int = number(100, 1)
    learning_rate: float = number(0.001, 0.0)
    clip_norm: float = number(100.0, 0.0)  # of the gradient of the mean nats an example, over all weights


class GradientDensity(Density):
    """A family with a loss; its `Settings` are a `Trainable`.

    The learning rate rises over the first 50 steps and falls to 0 by a half cosine over the budget.
    """

    def _loss(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """What is minimized, [n] nats; a graph. x: as of `_log_prob`; seed: int64 [2], another at each step."""
        raise NotImplementedError

    def fit(self, train: Split, valid: Split, budget: Budget, seed: int = 0) -> Fit:
        settings, variables = self.settings, self.model.trainable_variables
        optimizer = keras.optimizers.Adam(settings.learning_rate)
        optimizer.build(variables)

        def step(batch: dict[str, tf.Tensor], number: tf.Tensor, progress: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(
                    self._loss(self._standardized(batch["x"]), tf.stack([tf.cast(seed, tf.int64), number]))
                )
            gradients, norm = tf.clip_by_global_norm(tape.gradient(loss, variables), settings.clip_norm)
            rate = cosine(progress) * tf.minimum(1.0, tf.cast(number + 1, tf.float32) / _WARM_UP)
            optimizer.learning_rate.assign(settings.learning_rate * rate)
            finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
            gradients = [tf.where(finite, gradient, 0.0) for gradient in gradients]
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return tf.where(tf.math.is_finite(norm), loss, tf.cast(norm, loss.dtype))

        return Descent(self, step, train, valid, settings.batch_size, seed).run(budget)
