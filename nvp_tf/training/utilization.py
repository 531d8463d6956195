"""What part of the machine's peak a step reaches."""

import tensorflow as tf

from nvp_tf.training import flop, peak


class Utilization:
    """Compares a step's operations with the best that the machine was seen to do with the same kind and dtype.

    Args:
      graph: of one call of `steps_of_a_call`, which has a step once.
      dtype: of the networks.
    """

    def __init__(self, graph: tf.Graph, dtype: str) -> None:
        count = flop.count(graph)
        self.operations, self.peak = sum(count.values()), 0.0
        self._largest = peak.operation(max(count, key=lambda kind: count[kind]), dtype)
        self.measure()

    def measure(self) -> None:
        """Again: what else ran the time before may be over."""
        self.peak = max(self.peak, peak.measure(*self._largest))

    def __call__(self, seconds: float) -> float:
        """Of a step that takes so many seconds."""
        return self.operations / seconds / self.peak
