"""One exact step of maximum likelihood on any number of replicas, and all that it moves."""

import math

import keras
import tensorflow as tf

from nvp_tf.config.schema import Config, TrainConfig
from nvp_tf.layers.coupling import Coupling
from nvp_tf.layers.statistics import sum_over_replicas
from nvp_tf.models.build import build
from nvp_tf.models.objectives import weight_penalty


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then constant, or a half cosine to 0 at the last step; times a variable factor."""

    def __init__(self, config: TrainConfig, factor):
        self.config, self.factor = config, factor

    def __call__(self, step):
        config, step = self.config, tf.cast(step, tf.float32)
        rate = self.factor * config.learning_rate * tf.minimum(1.0, (step + 1) / max(config.warmup_steps, 1))
        if config.schedule == "constant":
            return rate
        done = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
        return rate * 0.5 * (1 + tf.cos(math.pi * tf.clip_by_value(done, 0.0, 1.0)))


class OfSums:
    """For an optimizer of gradients that are summed over replicas already: Keras would do it once more."""

    def _all_reduce_sum_gradients(self, gradients_and_variables):
        return gradients_and_variables


class Adam(OfSums, keras.optimizers.Adam):
    """Keras' Adam by TensorFlow's kernel, which reads and writes each variable once."""

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        beta_1, beta_2 = tf.constant(self.beta_1), tf.constant(self.beta_2)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            lr=learning_rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def _handle(variable):
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


class TrainingState(keras.Model):
    """All that a step reads and moves.

    flow: what is trained. averaged: its moving average, running statistics too (or None).
    optimizer: Adam, its iteration the number of steps done.
    rate_factor: of the learning rate; 1 until a run diverges.
    """

    def __init__(self, config: Config):
        super().__init__()
        train = config.train
        self.config = train
        self.flow = build(config.model, network_dtype=train.network_dtype)
        for layer in self.flow._flatten_layers():
            if isinstance(layer, Coupling):
                layer.recompute = train.recompute_couplings
        self.averaged = build(config.model, network_dtype=train.network_dtype) if train.ema_decay else None
        self.rate_factor = self.add_weight(name="rate_factor", shape=(), initializer="ones", trainable=False)
        self.optimizer = Adam(LearningRate(train, self.rate_factor))
        self.optimizer.build(self.flow.trainable_variables)
        self.built = True

    @property
    def everything(self) -> list:
        """Every variable there is, the optimizer's too: with them a run goes on to the bit."""
        return [*self.variables, *self.optimizer.variables]

    @property
    def evaluated(self):
        """The flow that scores and is kept: the averaged one where there is one."""
        return self.averaged or self.flow

    def start_average(self):
        """The average of a new run is the flow as it stands."""
        if self.averaged:
            self.averaged.set_weights(self.flow.get_weights())

    def replica_step(self, batch):
        """One gradient step on this replica's part of the batch.

        The loss is the mean over the whole batch, so each replica divides by the global count and
        gradients are summed; they are clipped after the sum. Both are exact for parts of unequal size.
        """
        variables = self.flow.trainable_variables
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            log_prob = self.flow.log_prob(batch["x"], batch.get("noise"), training=True)
            count = sum_over_replicas(tf.cast(tf.shape(log_prob)[0], log_prob.dtype))
            loss = -tf.reduce_sum(log_prob) / count
            penalty = self.config.l2 * weight_penalty(self.flow.weight_scales) / replicas
            total = loss + penalty
        *gradients, loss = sum_over_replicas([*tape.gradient(total, variables), loss])
        norm = tf.linalg.global_norm(gradients)
        clip = self.config.clip_norm
        factor = clip / tf.maximum(norm, clip) if clip else 1.0
        # No NaN reaches the weights, which must still tell which layer it came from: times 0 it is 0 here.
        factor = tf.where(tf.math.is_finite(norm), factor, 0.0)
        gradients = [tf.math.multiply_no_nan(gradient, factor) for gradient in gradients]
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss, norm

    def move_average(self):
        """averaged += (1 - decay) (flow - averaged); the decay grows to its value over the first steps."""
        step = tf.cast(self.optimizer.iterations, tf.float32)
        decay = tf.minimum(self.config.ema_decay, (1 + step) / (10 + step))
        for mean, value in zip(self.averaged.variables, self.flow.variables, strict=True):
            mean.value.assign(mean.value + (1 - decay) * (value.value - mean.value))
