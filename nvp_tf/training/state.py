"""One exact step of maximum likelihood on any number of replicas, and all that it moves."""

import math

import keras
import tensorflow as tf

from nvp_tf.config.schema import Config, TrainConfig
from nvp_tf.layers.coupling import Coupling
from nvp_tf.layers.keras_private import AllAtOnce, all_layers
from nvp_tf.layers.replicas import sum_over_replicas
from nvp_tf.models.build import build
from nvp_tf.models.flow import Flow
from nvp_tf.models.objectives import maximum_likelihood
from nvp_tf.runtime import unnamed_variables
from nvp_tf.training import together


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then constant, or a half cosine to 0 at the last step; times a variable factor."""

    def __init__(self, config: TrainConfig, factor: keras.Variable) -> None:
        self.config, self.factor = config, factor

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        config, step = self.config, tf.cast(step, tf.float32)
        rate = self.factor * config.learning_rate * tf.minimum(1.0, (step + 1) / max(config.warmup_steps, 1))
        if config.schedule == "constant":
            return rate
        done = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
        return rate * 0.5 * (1 + tf.cos(math.pi * tf.clip_by_value(done, 0.0, 1.0)))


class Adam(AllAtOnce, keras.optimizers.Adam):
    """Keras' Adam, all variables at once."""

    def update_all(self, gradients: list[tf.Tensor], variables: list[keras.Variable], learning_rate: tf.Tensor) -> None:
        together.adam(self, gradients, variables, learning_rate)


class TrainingState(keras.Model):
    """All that a step reads and moves.

    flow: what is trained. averaged: its moving average, running statistics too (or None).
    optimizer: Adam, its iteration the number of steps done.
    rate_factor: of the learning rate; 1 until a run diverges.
    """

    @unnamed_variables()
    def __init__(self, config: Config) -> None:
        super().__init__()
        train = config.train
        self.config = train
        self.flow = build(config.model, network_dtype=train.network_dtype)
        for layer in all_layers(self.flow):
            if isinstance(layer, Coupling):
                layer.recompute = train.recompute_couplings
        self.averaged = build(config.model, network_dtype=train.network_dtype) if train.ema_decay else None
        self.rate_factor = self.add_weight(name="rate_factor", shape=(), initializer="ones", trainable=False)
        self.optimizer = Adam(LearningRate(train, self.rate_factor))
        self.optimizer.build(self.flow.trainable_variables)
        self.built = True

    @property
    def everything(self) -> list[keras.Variable]:
        """Every variable there is, the optimizer's too: with them a run goes on to the bit."""
        return [*self.variables, *self.optimizer.variables]

    @property
    def evaluated(self) -> Flow:
        """The flow that scores and is kept: the averaged one where there is one."""
        return self.averaged or self.flow

    def start_average(self) -> None:
        """The average of a new run is the flow as it stands."""
        if self.averaged:
            self.averaged.set_weights(self.flow.get_weights())

    def replica_step(self, batch: dict[str, tf.Tensor], compiled: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """One gradient step on this replica's part of the batch; whether XLA compiles it makes no other numbers.

        The loss is the mean over the whole batch (`maximum_likelihood`), so gradients are summed; they are clipped
        after the sum. Both are exact for parts of unequal size.
        """
        variables = self.flow.trainable_variables
        with tf.GradientTape() as tape:
            log_prob = self.flow.log_prob(batch["x"], batch.get("noise"), training=True)
            total, loss = maximum_likelihood(log_prob, self.flow.weight_scales, self.config.l2)
        *gradients, loss = sum_over_replicas([*tape.gradient(total, variables), loss])
        norm = tf.sqrt(together.squares(gradients))
        clip = self.config.clip_norm
        factor = clip / tf.maximum(norm, clip) if clip else 1.0
        # No NaN reaches the weights, which must still tell which layer it came from: times 0 it is 0 here.
        factor = tf.where(tf.math.is_finite(norm), factor, 0.0)
        gradients = together.multiply_no_nan(gradients, factor, compiled)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self._move_average()
        return loss, norm

    def _move_average(self) -> None:
        """averaged += (1 - decay) (flow - averaged); the decay grows to its value over the first steps.

        Nothing without an average.
        """
        if self.averaged is None:
            return
        step = tf.cast(self.optimizer.iterations, tf.float32)
        decay = tf.minimum(self.config.ema_decay, (1 + step) / (10 + step))
        together.approach(self.averaged.variables, self.flow.variables, 1 - decay)
