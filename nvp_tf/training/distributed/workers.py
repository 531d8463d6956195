"""What the processes of one training say to each other: a sum of all, and what the chief found.

Everything that a run does next is decided by values that are the same in each of them: those that the step sums up,
and those that come from here. A decision of one alone would leave the others waiting for it.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.errors import WorkerLost, reason

Value = TypeVar("Value")
_PIECE = 16 << 20  # bytes sent at a time
_GONE = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
)


class Workers:
    """The processes that a strategy spreads steps over; with most strategies one, and then nothing is said.

    Each method is called by all of them at the same place, in the same order.

    Args:
      strategy: a `tf.distribute` strategy.

    Attributes:
      count: how many there are. index: which of them this is. chief: whether it is the one that keeps the run.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        resolver = strategy.cluster_resolver
        spec = resolver.cluster_spec().as_dict() if resolver else {}
        self.count: int = len(spec["worker"]) if spec else 1
        self.index: int = resolver.task_id if spec else 0
        self.chief = self.index == 0
        # A function for each shape: TensorFlow remembers what shape a collective has.
        self._sums: dict[tuple, tf.types.experimental.ConcreteFunction] = {}
        self._strategy = strategy

    def total(self, values: np.ndarray) -> np.ndarray:
        """The sum over workers; of int32, int64 or floats, of the same shape in each."""
        if self.count == 1:
            return values
        kind = values.shape, values.dtype
        if kind not in self._sums:
            self._sums[kind] = tf.function(self._reduce, autograph=False).get_concrete_function(tf.TensorSpec(*kind))
        return self._sums[kind](tf.constant(values)).numpy()

    def _reduce(self, values: tf.Tensor) -> tf.Tensor:
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)

    def from_chief(self, make: Callable[[], Value]) -> Value:
        """What `make()`, which the chief alone calls, returned: a value of JSON, and equal in each worker."""
        if self.count == 1:
            return make()
        sent = json.dumps(make()).encode() if self.chief else b""
        return json.loads(self._bytes_from_chief(sent))

    def set_as_chief(self, variables: Sequence[keras.Variable]) -> None:
        """Sets the variables to those of the chief, to the bit."""
        if self.count == 1:
            return
        values = [tf.convert_to_tensor(variable).numpy() for variable in variables]
        received = self._bytes_from_chief(b"".join(value.tobytes() for value in values) if self.chief else b"")
        start = 0
        for variable, value in zip(variables, values, strict=True):
            new = np.frombuffer(received, value.dtype, value.size, start)
            variable.assign(new.reshape(value.shape))
            start += value.nbytes

    def _bytes_from_chief(self, sent: bytes) -> bytes:
        [size] = self.total(np.array([len(sent)]))
        pieces = []
        for start in range(0, size, _PIECE):
            # Of few shapes: a power of two, padded.
            room = min(_PIECE, 1 << max(10, int(size - start - 1).bit_length()))
            piece = sent[start : start + _PIECE].ljust(room, b"\0")
            pieces.append(self.total(np.frombuffer(piece, np.int32) if self.chief else np.zeros(room // 4, np.int32)))
        return b"".join(piece.tobytes() for piece in pieces)[:size]

    @contextlib.contextmanager
    def noticed(self) -> Iterator[None]:
        """Where another worker ends or is silent, TensorFlow says so amid what is computed; here it becomes the end."""
        try:
            yield
        except tf.errors.OpError as error:
            if self.count == 1 or not (isinstance(error, _GONE) or "Collective ops is aborted" in str(error)):
                raise
            said = reason(error).partition("Collective ops is aborted by: ")[2] or reason(error)
            raise WorkerLost(
                f"worker {self.index} stopped, since another one ended or is silent ({said[:150]}): "
                "start all of them again, they go on from the last checkpoint"
            ) from None
