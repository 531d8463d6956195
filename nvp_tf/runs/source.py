"""What a figure is drawn from: a run's flow, its data, and a seed."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.split import Split
from nvp_tf.errors import UserError
from nvp_tf.runs.opened import OpenRun

BATCH = 100  # examples a call


class Unfit(UserError):
    """A figure asked of a run that cannot give it. The message says why."""


class Source(OpenRun):
    """A run to draw from.

    Args:
      run_dir, weights, data_dir: as of `OpenRun`.
      seed: of everything random in a figure.
    """

    def __init__(self, run_dir: str, weights: str = "best", data_dir: str | None = None, seed: int = 0) -> None:
        super().__init__(run_dir, weights, data_dir)
        self.seed = seed

    @property
    def levels(self) -> int:
        """How many values a pixel has; raises Unfit for a run on vectors."""
        levels = self.config.model.event.levels
        if levels is None:
            raise Unfit(f"{self.run.path} is a run on {self._kind()}, expected one on images")
        return levels

    def examples(self, count: int, split: str = "test") -> np.ndarray:
        """`count` different examples of a split, chosen by the seed; all of it, in order, where it has no more."""
        return choose(getattr(self.dataset, split), count, self.seed)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """`Flow.encode` in batches of one traced graph: [n, *event_shape] -> [n, D]."""
        return _in_batches(self._graphs["encode"], x)

    def decode(self, z: ArrayLike) -> np.ndarray:
        """`Flow.decode` in batches of one traced graph: [n, D] -> [n, *event_shape]."""
        return _in_batches(self._graphs["decode"], np.asarray(z, self.flow.compute_dtype))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """`Flow.log_prob` in batches of one traced graph: [n, *event_shape] -> float64 [n], nats."""
        return _in_batches(self._graphs["log_prob"], x).astype(np.float64)

    def explain(self, x: np.ndarray) -> np.ndarray:
        """`Flow.explain` in batches of one traced graph: [n, height, width, channels] -> [n, height, width] bits."""
        return _in_batches(self._graphs["explain"], x)

    @functools.cached_property
    def _graphs(self) -> dict[str, Callable[[np.ndarray], tf.Tensor]]:
        # Eagerly, a flow of a hundred layers takes longer to dispatch than to compute.
        flow = self.flow
        data_side = tf.TensorSpec((None, *flow.event.shape), flow.event.dtype)
        latents = tf.TensorSpec((None, flow.dimensions), flow.compute_dtype)
        return {
            "encode": tf.function(flow.encode, [data_side], autograph=False),
            "decode": tf.function(flow.decode, [latents], autograph=False),
            "log_prob": tf.function(lambda x: flow.log_prob(x), [data_side], autograph=False),
            "explain": tf.function(lambda x: flow.explain(x), [data_side], autograph=False),
        }

    def need_images(self, figure: str) -> None:
        """Raises Unfit for a run on vectors."""
        if not self.config.model.event.is_image:
            raise Unfit(f"{figure} needs a run on images, {self.run.path} is one on {self._kind()}")

    def need_scales(self, figure: str) -> None:
        """Raises Unfit unless the latents have the shape of an image: a multi-scale Real NVP."""
        self.need_images(figure)
        if self.config.model.flow.kind != "realnvp":
            raise Unfit(f"{figure} needs a multi-scale run (flow kind realnvp), {self.run.path} has {self._kind()}")

    def _kind(self) -> str:
        return f"{self.config.data.name} {self.config.model.event_shape}, flow kind {self.config.model.flow.kind}"


def choose(split: Split, count: int, seed: int) -> np.ndarray:
    """`count` different examples, chosen by the seed; all of it, in order, where it has no more."""
    if count >= split.size:
        return np.concatenate(list(evaluation_batches(split, BATCH)))
    index = np.random.default_rng(seed).permutation(split.size)[:count]
    # Read as evaluation reads them: what is random about an example is the same each time.
    return split.read(tf.constant(index), tf.stack([tf.zeros_like(index), index], axis=1)).numpy()


def _in_batches(function: Callable[[np.ndarray], tf.Tensor], rows: np.ndarray) -> np.ndarray:
    return np.concatenate([function(rows[i : i + BATCH]).numpy() for i in range(0, len(rows), BATCH)])
