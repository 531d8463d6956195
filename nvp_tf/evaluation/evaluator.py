"""The score of a flow on held-out data: an exact mean over examples, whatever the batch size."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.split import ArraySplit, DataSet, Split
from nvp_tf.evaluation.reference import Reference
from nvp_tf.layers.sharing import sharing
from nvp_tf.models.fixed_flow import fixed
from nvp_tf.models.flow import Flow
from nvp_tf.models.objectives import bits_per_dim
from nvp_tf.models.parts import in_parts
from nvp_tf.runtime import gpus, kept_whole

_PARTS = 2  # on whatever machine: with as many as it has cores, scores would differ between machines by a rounding
Wrap = Callable[[Iterable[tf.Tensor]], Iterable[tf.Tensor]]


class Sharers(Protocol):
    """Processes that share what there is to do: how many there are, and which of them this is."""

    count: int
    index: int

    def total(self, values: np.ndarray) -> np.ndarray:
        """The sum over them, to each."""


def reference_of(flow: Flow, dataset: DataSet, usual: ArrayLike = 0.0) -> Reference:
    """A flow's `Reference.of` a data set."""
    evaluator = Evaluator(fixed(flow))
    return Reference.of(dataset, lambda x: evaluator.log_probs(ArraySplit(x))[:, 0], usual)


class Evaluator:
    """Scores splits with one flow; its graph is traced once and follows the flow's weights. A batch is scored in
    two parts beside each other.

    Args:
      batch_size: examples a call; the last call may have fewer.
      workers: share the batches, and each then has all scores; None for this process alone.
    """

    def __init__(self, flow: Flow, batch_size: int = 100, workers: Sharers | None = None) -> None:
        self.flow, self.batch_size, self.workers = flow, batch_size, workers
        self._dtype = tf.uint8 if flow.event.is_image else flow.data_dtype
        signature = [tf.TensorSpec((None, *flow.event.shape), self._dtype), tf.TensorSpec(flow.event.shape)]
        parts = 1 if gpus() else _PARTS
        part = kept_whole(sharing()(flow.log_prob), *signature)
        self._log_prob = tf.function(
            lambda x, noise: in_parts(part, parts, x, noise),
            input_signature=signature,
            autograph=False,  # nothing of it needs to be rewritten, which takes as long as tracing it
        )

    def log_probs(
        self, split: Split, noise_samples: int = 1, limit: int | None = None, wrap: Wrap = lambda batches: batches
    ) -> np.ndarray:
        """Log-likelihood of each example under each noise pattern: float64 [examples, noise_samples], nats.

        Args:
          limit: only the first so many examples; None for all.
          wrap: goes over the batches in their place, as a progress bar does.
        """
        patterns = [self.flow.noise_pattern(k) for k in range(noise_samples)]
        index, count = (self.workers.index, self.workers.count) if self.workers else (0, 1)
        scores = np.zeros((min(split.size, limit or split.size), noise_samples), self.flow.compute_dtype)
        batches = evaluation_batches(split, self.batch_size, limit, (index, count))
        for number, x in enumerate(wrap(batches)):
            start = (index + number * count) * self.batch_size
            x = tf.cast(x, self._dtype)
            rows = np.stack([self._log_prob(x, pattern) for pattern in patterns], axis=1)
            scores[start : start + len(rows)] = rows
        if self.workers:
            scores = self.workers.total(scores)
        return scores.astype(np.float64)

    def evaluate(
        self, split: Split, noise_samples: int = 1, limit: int | None = None, wrap: Wrap = lambda batches: batches
    ) -> dict[str, Any]:
        """The figures that a run reports; arguments as of `log_probs`.

        Returns:
          log_prob: mean nats an example; a lower bound of log P, averaged over the noise.
          bits_per_dim: the same in bits per dimension; None for vectors.
          standard_error: of bits_per_dim (of log_prob for vectors), over examples.
          bits_per_dim_importance_weighted: with K = noise_samples > 1 draws, of the tighter bound
            log (1/K) sum_k p(x + u_k) (Burda et al. 2016); None otherwise.
          examples, noise_samples, images_per_second.
        """
        start = time.perf_counter()
        scores = self.log_probs(split, noise_samples, limit, wrap)
        seconds = time.perf_counter() - start
        discrete, dimensions = self.flow.event.is_image, self.flow.dimensions
        each = scores.mean(axis=1)
        spread = each.std(ddof=1) / len(each) ** 0.5 if len(each) > 1 else 0.0
        weighted = np.logaddexp.reduce(scores, axis=1).mean() - np.log(noise_samples)
        return {
            "bits_per_dim": float(bits_per_dim(each.mean(), dimensions)) if discrete else None,
            "standard_error": float(-bits_per_dim(spread, dimensions) if discrete else spread),
            "bits_per_dim_importance_weighted": (
                float(bits_per_dim(weighted, dimensions)) if discrete and noise_samples > 1 else None
            ),
            "log_prob": float(each.mean()),
            "examples": len(each),
            "noise_samples": noise_samples,
            "images_per_second": round(scores.size / seconds, 1),
        }
