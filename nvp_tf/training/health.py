"""Whether a flow is still a bijection in float32: both directions on a few held-out examples."""

import math

import numpy as np
import tensorflow as tf

from nvp_tf.config.schema import Config
from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.split import Split
from nvp_tf.layers.sharing import sharing
from nvp_tf.models.build import build
from nvp_tf.models.flow import Flow
from nvp_tf.training.divergence import Divergence

EXAMPLES = 32
# Half a level is where an integer comes back as another one; a vector's unit is the examples' standard deviation.
PIXEL_BOUND = 0.5
VECTOR_BOUND = 0.01
LOG_DET_BOUND = 0.01  # bits/dim; a score is not sure to more digits than the two directions agree on


class Health:
    """Measures a flow as a run of its config is loaded: with its networks in float32.

    Args:
      flow: the `Flow` in training; its weights are read anew each time.
      config: the run's.
      split: a `Split`; its first examples are measured.
    """

    def __init__(self, flow: Flow, config: Config, split: Split) -> None:
        self.flow = flow
        self.measured = flow if config.train.network_dtype == "float32" else build(config.model)
        x = next(iter(evaluation_batches(split, EXAMPLES, EXAMPLES)))
        discrete = flow.event.is_image
        self.v = tf.cast(flow.to_reals(x, flow.CELL_CENTRE), flow.data_dtype)
        self.unit = 1.0 if discrete or flow.standardization else float(np.std(self.v)) or 1.0
        self.bounds = {"round_trip_error": PIXEL_BOUND if discrete else VECTOR_BOUND, "log_det_error": LOG_DET_BOUND}
        self._both_ways = tf.function(self._there_and_back, autograph=False)

    def measure(self) -> dict[str, float]:
        """{"round_trip_error", "log_det_error"}: the largest of the examples' errors.

        round_trip_error: of inverse(forward(v)), in levels; for vectors in the examples' standard deviations.
        log_det_error: of forward's log-determinant plus inverse's, which are each other's negatives, in bits/dim.
        """
        if self.measured is not self.flow:
            self.measured.set_weights(self.flow.get_weights())
        # NumPy's maximum, which is NaN where a part is.
        there_and_back, both = self._both_ways(self.v)
        round_trip, log_det = (float(np.max(np.abs(e))) for e in (there_and_back / self.measured.units, both))
        bits = log_det / (self.flow.dimensions * math.log(2))
        return {"round_trip_error": round_trip / self.unit, "log_det_error": bits}

    def check(self, found: dict[str, float], step: int) -> None:
        """Raises Divergence for a measurement beyond its bound."""
        for name, bound in self.bounds.items():
            if not found[name] <= bound:
                measured = f"{name} is {found[name]:.3g}, expected at most {bound:g}"
                raise Divergence(step, f"the flow is no longer invertible: {measured}")

    @sharing()
    def _there_and_back(self, v: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z, there = self.measured.bijector.forward(v)
        v_again, back = self.measured.bijector.inverse(z)
        return v_again - v, there + back
