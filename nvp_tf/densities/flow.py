"""A flow of this project behind the contract: its density of x + u bounds the probability of x."""

import dataclasses
from dataclasses import dataclass

import tensorflow as tf

from nvp_tf.config.codec import Section, number
from nvp_tf.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nvp_tf.data.split import Split
from nvp_tf.densities.budget import Budget, Fit
from nvp_tf.densities.contract import Density
from nvp_tf.densities.conversion import cell_noise, importance_weighted, of_each
from nvp_tf.densities.descent import Descent, cosine
from nvp_tf.models.build import build
from nvp_tf.models.flow import Flow
from nvp_tf.training.state import TrainingState
from nvp_tf.training.whitening import fit_whitening


@dataclass(frozen=True)
class FlowSettings(Section):
    """A run's model and how it is trained, and the noises of a score.

    Of `train`: a schedule that ends at the last step ends with the budget here, and `seed` is the one of `fit`.
    """

    model: ModelConfig
    train: TrainConfig
    noises: int = number(1, 1)


class FlowDensity(Density):
    """log P(x) >= E[log p(x + u)], log p by `Flow.log_prob`; of M noises log (1/M) sum_m p(x + u_m). Vectors: exact."""

    family = "flow"
    Settings = FlowSettings

    def _build(self) -> Flow:
        return build(self.settings.model, self.dtype)

    @property
    def kind(self) -> str:
        return "bound" if self.domain.is_image else "exact"

    @property
    def how(self) -> str:
        return "dequantization" if self.domain.is_image else "change of variables"

    @property
    def draws(self) -> int:
        return self.settings.noises if self.domain.is_image else 0

    @property
    def latent_size(self) -> int:
        return self.domain.dimensions

    def fit(self, train: Split, valid: Split, budget: Budget, seed: int = 0) -> Fit:
        settings = self.settings.train
        steady = dataclasses.replace(settings, schedule="constant", seed=seed, recompute_couplings=False)
        state = TrainingState(Config(self.settings.model, DataConfig(self.family), steady))
        state.flow.set_weights(self.model.get_weights())
        fit_whitening(state.flow, train)
        state.start_average()

        def step(batch: dict[str, tf.Tensor], number: tf.Tensor, progress: tf.Tensor) -> tf.Tensor:
            if settings.schedule == "cosine":
                state.rate_factor.assign(cosine(progress))
            batch = batch if self.domain.is_image else {"x": self._standardized(batch["x"])}
            loss, norm = state.replica_step(batch)
            return tf.where(tf.math.is_finite(norm), loss, norm)

        def settle() -> None:
            self.model.set_weights(state.evaluated.get_weights())

        return Descent(self, step, train, valid, settings.batch_size, seed, settle).run(budget)

    def _log_prob(self, x: tf.Tensor, draws: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if not self.domain.is_image:
            value = self.model.forward(x, None)[1]
            return value, tf.zeros_like(value)
        x = tf.cast(x, tf.int32)
        noise = cell_noise(draws, self.domain.shape, seed, self.dtype)
        return importance_weighted(of_each(noise, lambda u: self.model.forward(x, u)[1]))

    def _sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        latents = self.model.prior.sample([num_samples, self.domain.dimensions], seed, 1.0, self.dtype)
        return tf.cast(self.model.decode(latents), self.dtype)

    def _encode(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.cast(x, tf.int32) if self.domain.is_image else x
        return self.model.forward(x, self.model.CELL_CENTRE)[0]
