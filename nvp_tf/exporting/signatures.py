"""What an export answers: raw values at both ends, each signature a graph over the flow's weights.

    log_prob             images uint8 [n, H, W, C]  ->  log_prob [n] nats, bits_per_dim [n]
    serving_default      the same
    log_prob_with_noise  images, seed, num_samples  ->  log_prob, bits_per_dim, standard_error [n] nats
    score                images                     ->  log_prob, bits_per_dim, percentile, typicality, foreign [n]
    explain              images                     ->  bits, excess [n, H, W], which sum to -log_prob / ln 2
    encode               images                     ->  latents [n, D]
    decode               latents                    ->  images; decode(encode(x)) == x
    sample               num_samples, seed, temperature  ->  images

num_samples int32 [], seed int64 [], temperature float32 [], scores, bits and latents float32. Vectors:
x float32 [n, D] in the place of images, float64 where the flow standardizes them, bits [n, D], and no bits_per_dim. A
row depends on nothing but itself and the scalars. A negative seed is a new one in every call.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import tensorflow as tf

from nvp_tf.evaluation.reference import Reference
from nvp_tf.exporting.weights import StackedWeights
from nvp_tf.layers.sharing import WRITTEN_OUT, sharing
from nvp_tf.models.fixed_flow import fixed
from nvp_tf.models.flow import Flow, at_least_one
from nvp_tf.models.objectives import bits_per_dim

Answer = TypeVar("Answer")
MOST_VALUES = 2**21  # of one call of `sample`: what its memory grows with
MOST_DRAWS = 4096  # of one call of `log_prob_with_noise`: what its time grows with
_SEED, _COUNT = tf.TensorSpec((), tf.int64, "seed"), tf.TensorSpec((), tf.int32, "num_samples")
_TEMPERATURE = tf.TensorSpec((), tf.float32, "temperature")


# Nothing here needs to be rewritten by autograph, which takes longer than tracing it.
traced = functools.partial(tf.function, autograph=False)


class Signatures:
    """The signatures of one flow. `forward`, `entrywise` and `inverse` are one function each, which all of them call.

    Args:
      flow: a `Flow`.
      reference: the `Reference` of `score` and `explain`.
    """

    def __init__(self, flow: Flow, reference: Reference) -> None:
        self.flow, self.reference = fixed(flow), reference
        self.most_samples = max(1, MOST_VALUES // flow.dimensions)
        self.values = tf.TensorSpec((None, *flow.event.shape), flow.event.dtype, flow.event.name)
        self.latents = tf.TensorSpec((None, flow.dimensions), tf.float32, "latents")
        self.pattern = flow.noise_pattern().numpy()  # a constant: not every runtime has this random op
        self.cell_centre = np.full(flow.event.shape, flow.CELL_CENTRE, np.float32)
        self._weights = StackedWeights(self.flow.variables)
        with_noise = [self.values, tf.TensorSpec(flow.event.shape)]
        self.forward = traced(self._with_weights(self.flow.forward), with_noise)
        self.entrywise = traced(self._with_weights(self.flow.entrywise), with_noise)
        self.inverse = traced(self._with_weights(self.flow.inverse), [self.latents])

    def save(
        self, folder: str | Path, functions: dict[str, tf.types.experimental.PolymorphicFunction] | None = None
    ) -> None:
        """Writes a SavedModel: of `functions()`, or of others that call `forward` and `inverse`."""
        module = tf.Module()
        module.weights = self._weights.stacked  # A SavedModel owns the tf.Variables it finds in an attribute.
        tf.saved_model.save(module, str(folder), signatures=functions or self.functions())

    def functions(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """Name -> tf.function that takes and gives the tensors by their names."""
        log_prob = traced(self._log_prob, [self.values])
        return {
            "serving_default": log_prob,
            "log_prob": log_prob,
            "log_prob_with_noise": traced(self._log_prob_with_noise, [self.values, _SEED, _COUNT]),
            "score": traced(self._score, [self.values]),
            "explain": traced(self._explain, [self.values]),
            "encode": traced(self._encode, [self.values]),
            "decode": traced(self._decode, [self.latents]),
            "sample": traced(self._sample, [_COUNT, _SEED, _TEMPERATURE]),
        }

    def _with_weights(self, function: Callable[..., Answer]) -> Callable[..., Answer]:
        def with_weights(*arguments: tf.Tensor) -> Answer:
            with self._weights.in_place(), sharing(WRITTEN_OUT):
                return function(*arguments)

        return with_weights

    def _log_prob(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.scores(self._both(values, self.pattern)[1])

    def _score(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.ranked(values, self._log_prob(values))

    def _log_prob_with_noise(self, values: tf.Tensor, seed: tf.Tensor, num_samples: tf.Tensor) -> dict[str, tf.Tensor]:
        """log (1/K) sum_k w_k, w_k = p(x + u_k); standard error std(w) / (sqrt(K) mean(w)), nan for K = 1."""
        inside = (num_samples >= 1) & (num_samples <= MOST_DRAWS)
        num_samples = expect(inside, num_samples, "num_samples is", num_samples, f"expected 1 to {MOST_DRAWS}")
        seed = fresh_if_negative(seed)

        def draw(k: tf.Tensor) -> tf.Tensor:
            noise = tf.random.stateless_uniform(self.flow.event.shape, tf.stack([seed, tf.cast(k, tf.int64)]))
            return self._both(values, noise)[1]

        draws = tf.map_fn(draw, tf.range(num_samples), fn_output_signature=tf.TensorSpec([None]), parallel_iterations=1)
        largest = tf.reduce_max(draws, axis=0)
        largest = tf.where(tf.math.is_inf(largest), 0.0, largest)
        weights, count = tf.exp(draws - largest), tf.cast(num_samples, tf.float32)
        mean = tf.reduce_mean(weights, axis=0)
        variance = tf.reduce_sum(tf.square(weights - mean), axis=0) / (count - 1)
        error = tf.math.divide_no_nan(tf.sqrt(variance / count), mean)  # an impossible image is surely so
        return self.scores(largest + tf.math.log(mean)) | {"standard_error": error}

    def _explain(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        values, n = some_rows(values, self.values)
        return self.explained(self.entrywise(values, self.pattern)[:n])

    def _encode(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"latents": self._both(values, self.cell_centre)[0]}

    def _decode(self, latents: tf.Tensor) -> dict[str, tf.Tensor]:
        # uint8 cannot say that it is none.
        wrong = tf.math.count_nonzero(~tf.reduce_all(tf.math.is_finite(latents), axis=1))
        latents = expect(wrong == 0, latents, "rows of latents that are nan or infinite:", wrong, "expected none")
        latents, n = some_rows(latents, self.latents)
        return {self.flow.event.name: self.inverse(latents)[:n]}

    def _sample(self, num_samples: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        inside = (num_samples >= 0) & (num_samples <= self.most_samples)
        num_samples = expect(inside, num_samples, "num_samples is", num_samples, f"expected 0 to {self.most_samples}")
        positive = tf.math.is_finite(temperature) & (temperature > 0)
        temperature = expect(positive, temperature, "temperature is", temperature, "expected a positive number")
        return self._decode(self.flow.sample_latents(num_samples, fresh_if_negative(seed), temperature))

    def _both(self, values: tf.Tensor, noise: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        values, n = some_rows(values, self.values)
        latents, log_prob = self.forward(values, noise)
        return latents[:n], log_prob[:n]

    def scores(self, log_prob: tf.Tensor) -> dict[str, tf.Tensor]:
        """What is said of log_prob [n] by name."""
        if not self.flow.event.is_image:
            return {"log_prob": log_prob}
        return {"log_prob": log_prob, "bits_per_dim": bits_per_dim(log_prob, self.flow.dimensions)}

    def explained(self, bits: tf.Tensor) -> dict[str, tf.Tensor]:
        """The bits of each pixel, and what they are more than usual."""
        return {"bits": bits, "excess": bits - self.reference.usual}

    def ranked(self, values: tf.Tensor, scores: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Scores of values, and where they stand among held-out ones."""
        return scores | self.reference.ranks(values, scores["log_prob"])


def some_rows(values: tf.Tensor, spec: tf.TensorSpec) -> tuple[tf.Tensor, tf.Tensor]:
    """(values, their number), of none one row (`at_least_one`). The shape says what was expected; a signature checks
    the dtype only."""
    return at_least_one(tf.ensure_shape(values, spec.shape))


def fresh_if_negative(seed: tf.Tensor) -> tf.Tensor:
    """The seed, int64 []; a new one in every call and process where it is negative."""
    # The raw op with seeds of 0: tf.random.uniform would take a seed from the global one into the graph,
    # and every process would draw the same.
    largest = tf.constant(tf.int64.max)
    fresh = tf.raw_ops.RandomUniformInt(shape=[1], minval=tf.zeros_like(largest), maxval=largest, seed=0, seed2=0)
    return tf.where(seed < 0, fresh[0], seed)


def expect(condition: tf.Tensor, value: tf.Tensor, *message: str | tf.Tensor) -> tf.Tensor:
    """`value`, which exists only where the condition holds: what is made of it does not run beside the check."""
    with tf.control_dependencies([tf.debugging.Assert(condition, message)]):
        return tf.identity(value)
