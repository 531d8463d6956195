"""Noise-contrastive density: a classifier that tells data from a trained flow's samples (thesis 4.1.2)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from nvp_tf.config.codec import choice, number
from nvp_tf.data.split import Split
from nvp_tf.densities.budget import Budget, Fit
from nvp_tf.densities.classification import Trial, classify
from nvp_tf.densities.contract import Density, Domain, Unfit
from nvp_tf.densities.conversion import cell_noise, importance_weighted, of_each
from nvp_tf.densities.flow import FlowDensity, FlowSettings
from nvp_tf.densities.gradient import Trainable

TOO_FAR = 0.99  # of AUROC: above it the mean log-ratio was off by tens of nats, and nothing else showed it


@dataclass(frozen=True, kw_only=True)
class ContrastiveSettings(Trainable):
    """What the noise is, what the classifier is, how it is trained.

    noise: the flow.
    network: "dense"; "convolutional", of images; "linear"; "auto" for convolutional ones of images, dense of vectors.
    layers, units: of the dense layers, which come after the convolutions.
    filters: of the first convolution.
    ratio: nu, draws of the noise an example.
    noise_share: of the budget, for the flow.
    proposals: draws of the noise behind one sample.
    """

    complete: ClassVar[bool] = False
    noise: FlowSettings
    network: str = choice("auto", "auto", "dense", "convolutional", "linear")
    layers: int = number(2, 0)
    units: int = number(256, 1)
    filters: int = number(32, 1)
    ratio: int = number(1, 1)
    noise_share: float = number(0.75, 0.05, 0.95)
    proposals: int = number(32, 1)


class Contrast(keras.Model):
    """The weights of a flow and of a classifier, and what was found of the two together.

    checks: AUROC, log-normalizer, its standard error; nan until measured.
    """

    def __init__(self, flow: keras.Model, classifier: keras.Model, **kwargs) -> None:
        super().__init__(**kwargs)
        self.flow, self.classifier = flow, classifier
        nan = keras.initializers.Constant(math.nan)
        self.checks = self.add_weight(name="checks", shape=(3,), initializer=nan, trainable=False)
        self.built = True


class Contrastive(Density):
    """log p(x) = l(x) + log nu + log q(x),  q a trained flow, l the logit of a classifier of data against q's draws.

        P(data | x) = n1 p(x) / (n1 p(x) + n0 q(x)) = sigmoid(l),    nu = n0 / n1, draws of q an example

    at the minimum of the logistic loss (Gutmann and Hyvarinen 2010). It is an estimate, on either side of the truth,
    and p need not integrate to 1; so held-out data and fresh noise give three checks: the AUROC of the classifier,
    the log-normalizer log E_q[p / q], 0 where p is normalized, and its error. Where the two are too far apart to tell,
    AUROC above 0.99, a wrong l costs no loss, and `unusable` says so. Images are dequantized, as for the flow.

    Samples are draws of the noise resampled by p / q, of `proposals` one: exact as they grow.
    """

    family = "contrastive"
    Settings = ContrastiveSettings
    kind = "estimate"
    sample_batch = 50  # each sample is of many draws

    @classmethod
    def against(cls, noise: FlowDensity, settings: ContrastiveSettings, seed: int = 0) -> "Contrastive":
        """With a flow that is trained already, of `settings.noise`: `fit` spends its whole budget on the classifier."""
        made = cls(noise.domain, settings, seed, noise.dtype)
        made.noise.model.set_weights(noise.model.get_weights())
        made.noise_is_trained = True
        return made

    def __init__(self, domain: Domain, settings: ContrastiveSettings, seed: int = 0, dtype: str = "float32") -> None:
        self.noise_is_trained = False
        super().__init__(domain, settings, seed, dtype)

    @property
    def how(self) -> str:
        of = ", dequantization" if self.domain.is_image else ""
        return f"{self.network} classifier against a flow{of}"

    @property
    def network(self) -> str:
        """The settings', "auto" resolved."""
        named = "convolutional" if self.domain.is_image else "dense"
        return named if self.settings.network == "auto" else self.settings.network

    @property
    def draws(self) -> int:
        return self.noise.draws

    @property
    def checks(self) -> dict[str, float]:
        """auroc, log_normalizer and its log_normalizer_error, nats; nan until `check`."""
        names = ("auroc", "log_normalizer", "log_normalizer_error")
        return dict(zip(names, self.model.checks.numpy().tolist(), strict=True))

    @property
    def unusable(self) -> str | None:
        """Why the scores say nothing; None where they may."""
        auroc = self.checks["auroc"]
        if auroc > TOO_FAR:
            return f"unusable: AUROC {auroc:.4f} is above {TOO_FAR}, data and noise are too far apart to tell"
        return None

    def check(self, held_out: Split, seed: int = 1, seconds: float = math.inf) -> dict[str, float]:
        """Measures `checks` in a `Trial`, to which the arguments go."""
        data, noise = Trial(self, held_out, seed, seconds).logits()
        labels = np.repeat([1, 0], [len(data), len(noise)])
        auroc = roc_auc_score(labels, np.concatenate([data, noise]))
        weights = np.exp(noise - noise.max())
        error = weights.std(ddof=1) / weights.mean() / len(noise) ** 0.5
        self.model.checks.assign([auroc, logsumexp(noise) + math.log(self.settings.ratio / len(noise)), error])
        return self.checks

    def fit(self, train: Split, valid: Split, budget: Budget, seed: int = 0) -> Fit:
        fit = Fit()
        if not self.noise_is_trained:
            fit = self.noise.fit(train, valid, _part(budget, self.settings.noise_share, 0), seed)
        told = classify(self, train, valid, _part(budget, 0.95, fit.steps), seed)
        checks = self.check(valid, seed + 1, max(0.0, budget.left))
        words = "AUROC {auroc:.4f}, log-normalizer {log_normalizer:.3f} +- {log_normalizer_error:.3f} nats"
        told.notes = [*fit.notes, words.format(**checks), *([self.unusable] if self.unusable else [])]
        later = [row | {name: row[name] + getattr(fit, name) for name in ("seconds", "steps")} for row in told.rows]
        told.rows, told.seconds, told.steps = fit.rows + later, budget.used, fit.steps + told.steps
        return told

    def _build(self) -> Contrast:
        if self.network == "convolutional" and not self.domain.is_image:
            raise Unfit("a convolutional classifier is over images, these are vectors")
        self.noise = FlowDensity(self.domain, self.settings.noise, self.seed, self.dtype)
        classifier = self._classifier()
        classifier.build((None, *self.domain.shape))
        return Contrast(self.noise.model, classifier, dtype=self.dtype)

    def _classifier(self) -> keras.Sequential:
        """[n, *shape] -> the logit l [n, 1], 0 at first: then p is the flow's."""
        settings, options = self.settings, {"activation": "relu", "dtype": self.dtype}
        conv, dense = keras.layers.Conv2D, keras.layers.Dense
        layers = [keras.layers.Flatten(dtype=self.dtype)]
        if self.network != "linear":
            layers += [dense(settings.units, kernel_initializer="he_normal", **options) for _ in range(settings.layers)]
        if self.network == "convolutional":
            sizes = ((settings.filters, 1), (2 * settings.filters, 2), (2 * settings.filters, 2))
            layers = [conv(filters, 3, strides, padding="same", **options) for filters, strides in sizes] + layers
        return keras.Sequential([*layers, dense(1, kernel_initializer="zeros", dtype=self.dtype)], name="classifier")

    # What the classifier is asked about: v = x + u of images, standardized vectors.

    def dequantized(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """v of raw x, with noise of its own for each example; seed: int64 [2]."""
        x = self._standardized(x)
        return x + tf.cast(tf.random.stateless_uniform(tf.shape(x), seed), self.dtype) if self.domain.is_image else x

    def draw_noise(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """v ~ q, [num_samples, *shape], not rounded; seed: int64 [2]."""
        flow = self.model.flow
        z = flow.prior.sample([num_samples, self.domain.dimensions], seed, 1.0, self.dtype)
        return flow.bijector.inverse(tf.reshape(z, [-1, *flow.latent_shape]))[0]

    def logit(self, v: tf.Tensor) -> tf.Tensor:
        """l = log p(v) / q(v) - log nu, [n]."""
        return self.model.classifier(v * (2 / self.domain.levels) - 1 if self.domain.is_image else v)[:, 0]

    def _log_prob(self, x: tf.Tensor, draws: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        flow, log_ratio = self.model.flow, math.log(self.settings.ratio)
        if not self.domain.is_image:
            value = self.logit(x) + log_ratio + flow.forward(x, None)[1]
            return value, tf.zeros_like(value)
        noise, integers = cell_noise(draws, self.domain.shape, seed, self.dtype), tf.cast(x, tf.int32)
        return importance_weighted(
            of_each(noise, lambda u: self.logit(x + u) + log_ratio + flow.forward(integers, u)[1])
        )

    def _sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        proposals = self.settings.proposals
        v = self.draw_noise(num_samples * proposals, seed)
        # Gumbel's maximum: the one that is drawn with probability w / sum(w).
        u = tf.random.stateless_uniform([num_samples, proposals], seed + 1, minval=1e-12)
        keys = tf.reshape(self.logit(v), [-1, proposals]) - tf.cast(tf.math.log(-tf.math.log(u)), self.dtype)
        v = tf.gather(tf.reshape(v, [-1, proposals, *self.domain.shape]), tf.argmax(keys, axis=1), batch_dims=1)
        return tf.floor(v) if self.domain.is_image else v


def _part(budget: Budget, share: float, steps: int) -> Budget:
    """A share of the seconds that are left, and of the steps; of these the rest, where some are done."""
    seconds = None if budget.seconds is None else share * max(0.0, budget.left)
    left = None if budget.steps is None else (budget.steps - steps if steps else max(1, int(share * budget.steps)))
    return Budget(seconds, left)
