"""What the live model answers about the examples on which an export is held against it."""

import functools

import numpy as np
from numpy.typing import ArrayLike

from nvp_tf.models.flow import Flow
from nvp_tf.scoring.contract import BATCH


class Live:
    """A flow and its answers, each asked for once, whichever of an export's models is held against it.

    Args:
      flow: a `Flow`.
      examples: held-out [n, *event_shape].
    """

    def __init__(self, flow: Flow, examples: ArrayLike) -> None:
        self.flow, self.x = flow, np.asarray(examples, flow.event.dtype)

    @functools.cached_property
    def log_prob(self) -> np.ndarray:
        """Nats [n]."""
        return self.flow.log_prob(self.x).numpy()

    @functools.cached_property
    def bits(self) -> np.ndarray:
        """Of each pixel, of the first `BATCH` examples."""
        return self.flow.explain(self.x[:BATCH]).numpy()

    @functools.cached_property
    def latents(self) -> np.ndarray:
        """[n, D]."""
        return self.flow.encode(self.x).numpy()
