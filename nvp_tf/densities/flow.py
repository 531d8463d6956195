"""A flow of this project behind the contract: its density of x + u bounds the probability of x."""

from dataclasses import dataclass

import tensorflow as tf

from nvp_tf.config.codec import Section
from nvp_tf.config.schema import ModelConfig, TrainConfig
from nvp_tf.densities.contract import Density
from nvp_tf.densities.conversion import cell_noise, importance_weighted
from nvp_tf.models.build import build


@dataclass(frozen=True)
class FlowSettings(Section):
    """A run's model and how it is trained."""

    model: ModelConfig
    train: TrainConfig
    noises: int = 1


class FlowDensity(Density):
    """log P(x) >= E[log p(x + u)], log p by `Flow.log_prob`; of M noises log (1/M) sum_m p(x + u_m). Vectors: exact."""

    family = "flow"
    Settings = FlowSettings

    def _build(self):
        return build(self.settings.model, self.dtype)

    @property
    def kind(self):
        return "bound" if self.domain.is_image else "exact"

    @property
    def how(self):
        return "dequantization" if self.domain.is_image else "change of variables"

    @property
    def draws(self):
        return self.settings.noises if self.domain.is_image else 0

    @property
    def latent_size(self):
        return self.domain.dimensions

    def _log_prob(self, x, draws, seed):
        if not self.domain.is_image:
            value = self.model.forward(x, None)[1]
            return value, tf.zeros_like(value)
        x = tf.cast(x, tf.int32)
        noise = cell_noise(draws, self.domain.shape, seed, self.dtype)
        return importance_weighted(tf.stack([self.model.forward(x, noise[m])[1] for m in range(draws)]))

    def _sample(self, num_samples, seed):
        latents = self.model.prior.sample([num_samples, self.domain.dimensions], seed, 1.0, self.dtype)
        return tf.cast(self.model.decode(latents), self.dtype)

    def _encode(self, x):
        x = tf.cast(x, tf.int32) if self.domain.is_image else x
        return self.model.forward(x, self.model.CELL_CENTRE)[0]
