"""What part of the machine's peak a step reaches."""

from nvp_tf.training import flop, peak


class Utilization:
    """Compares a step's operations with the best that the machine was seen to do with the same kind and dtype.

    Args:
      graph: of one call of `steps_of_a_call`, which has a step once.
      dtype: of the networks.
    """

    def __init__(self, graph, dtype: str):
        count = flop.count(graph)
        self.operations, self.peak = sum(count.values()), 0.0
        self._largest = peak.operation(max(count, key=count.get), dtype)
        self.measure()

    def measure(self):
        """Again: what else ran the time before may be over."""
        self.peak = max(self.peak, peak.measure(*self._largest))

    def __call__(self, seconds: float) -> float:
        """Of a step that takes so many seconds."""
        return self.operations / seconds / self.peak
