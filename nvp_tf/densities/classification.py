"""How a classifier learns to tell data from noise under a budget, and how well it does."""

import math
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.data.split import Split
from nvp_tf.densities.budget import Budget, Fit
from nvp_tf.densities.contract import Scores, examples
from nvp_tf.densities.descent import Descent, cosine

MOST = 10_000  # held-out examples of a trial, and as many draws of the noise
_BATCH = 500
_SHARE = 0.05  # of the seconds of a budget, for the draws of a trial


def logistic_loss(data: tf.Tensor, noise: tf.Tensor, ratio: float) -> tf.Tensor:
    """E_data[log(1 + exp(-l))] + nu E_noise[log(1 + exp(l))], [] nats an example, of logits l [n] of each."""
    return tf.reduce_mean(tf.nn.softplus(-data)) + ratio * tf.reduce_mean(tf.nn.softplus(noise))


class Trial:
    """Held-out data and draws of the noise that a classifier is asked about.

    Args:
      density: a `Contrastive`.
      held_out: a split, of which at most `MOST` examples are taken.
      seed: of the noise's draws, and of the dequantization.
      seconds: that drawing may take; fewer draws then, but at least one batch of them.
    """

    def __init__(self, density: Any, held_out: Split, seed: int, seconds: float = math.inf) -> None:
        began, values = time.monotonic(), (None, *density.domain.shape)
        rows = examples(held_out, MOST)
        seed_spec, v = tf.TensorSpec((2,), tf.int64), tf.TensorSpec(values, density.dtype)
        self._logits = tf.function(density.logit, [v], autograph=False)
        draw = tf.function(density.draw_noise, [tf.TensorSpec((), tf.int32), seed_spec], autograph=False)
        dequantize = tf.function(density.dequantized, [tf.TensorSpec(values, rows.dtype), seed_spec], autograph=False)
        starts = range(0, len(rows), _BATCH)
        self.data = [dequantize(rows[i : i + _BATCH], tf.constant([seed, 2 * i], tf.int64)) for i in starts]
        self.noise = []
        for i in range(0, MOST, _BATCH):
            self.noise.append(draw(_BATCH, tf.constant([seed, 2 * i + 1], tf.int64)))
            if time.monotonic() - began > seconds:
                break

    def logits(self) -> tuple[np.ndarray, np.ndarray]:
        """l of the data and of the noise, float64 [n] each."""
        data, noise = (np.concatenate([self._logits(v) for v in batches]) for batches in (self.data, self.noise))
        return data.astype(np.float64), noise.astype(np.float64)


def classify(density: Any, train: Split, valid: Split, budget: Budget, seed: int) -> Fit:
    """Trains the classifier of a `Contrastive` by Adam, and keeps the weights that do best in a trial on `valid`.

    Returns:
      What was done; its rows and `best` are mean nats of the density on `valid`, which did not choose the weights.
    """
    settings, variables = density.settings, density.model.classifier.trainable_variables
    optimizer = keras.optimizers.Adam(settings.learning_rate)
    optimizer.build(variables)

    def step(batch: dict[str, tf.Tensor], number: tf.Tensor, progress: tf.Tensor) -> tf.Tensor:
        now = tf.stack([tf.cast(seed, tf.int64), number])
        data = density.dequantized(batch["x"], now + 1)
        noise = density.draw_noise(settings.ratio * tf.shape(data)[0], now)
        with tf.GradientTape() as tape:
            loss = logistic_loss(density.logit(data), density.logit(noise), settings.ratio)
        gradients, norm = tf.clip_by_global_norm(tape.gradient(loss, variables), settings.clip_norm)
        optimizer.learning_rate.assign(settings.learning_rate * cosine(progress))
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return tf.where(tf.math.is_finite(norm), loss, norm)

    seconds = math.inf if budget.seconds is None else _SHARE * budget.seconds
    judge = _Judge(density, Trial(density, valid, seed, seconds))
    fit = Descent(judge, step, train, valid, settings.batch_size, seed).run(budget)
    chosen = [row["valid"] for row in fit.rows]
    fit.rows = [row | {"train": None, "valid": judge.nats[row["valid"]]} for row in fit.rows]
    fit.best = judge.nats[max(chosen)] if chosen else None
    return fit


class _Judge:
    """What `Descent` asks for a score: the classifier's loss in a trial, negative. Mean nats would choose wrongly: of
    what is not normalized they have no end.

    nats: loss -> the density's mean nats with the same weights.
    """

    def __init__(self, density: Any, trial: Trial) -> None:
        self.density, self.trial, self.model = density, trial, density.model.classifier
        self.nats: dict[float, float] = {}

    def scores(self, held_out: np.ndarray) -> Scores:
        """Minus the logistic loss, as the one value."""
        value = -logistic_loss(*self.trial.logits(), self.density.settings.ratio).numpy()
        self.nats[float(value)] = float(self.density.scores(held_out).value.mean())
        return Scores(np.array([value]), "estimate", np.zeros(1))
