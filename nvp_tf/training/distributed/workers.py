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

from nvp_tf.errors import reason
from nvp_tf.training.distributed.mesh import Mesh

Value = TypeVar("Value")
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
        self._mesh: Mesh | None = getattr(strategy, "mesh", None)
        self.count = self._mesh.count if self._mesh else 1
        self.index = self._mesh.index if self._mesh else 0
        self.chief = self.index == 0

    def total(self, values: np.ndarray) -> np.ndarray:
        """The sum over workers; of the same shape and dtype in each."""
        return self._mesh.sum([values])[0] if self._mesh else values

    def from_chief(self, make: Callable[[], Value]) -> Value:
        """What `make()`, which the chief alone calls, returned: a value of JSON, and equal in each worker."""
        if self._mesh is None:
            return make()
        return json.loads(self._mesh.from_chief(json.dumps(make()).encode() if self.chief else b""))

    def set_as_chief(self, variables: Sequence[keras.Variable]) -> None:
        """Sets the variables to those of the chief, to the bit."""
        if self._mesh is None:
            return
        values = [tf.convert_to_tensor(variable).numpy() for variable in variables]
        received = self._mesh.from_chief(b"".join(value.tobytes() for value in values) if self.chief else b"")
        start = 0
        for variable, value in zip(variables, values, strict=True):
            new = np.frombuffer(received, value.dtype, value.size, start)
            variable.assign(new.reshape(value.shape))
            start += value.nbytes

    @contextlib.contextmanager
    def noticed(self) -> Iterator[None]:
        """Where another worker ends or is silent, TensorFlow says so amid what is computed; here it becomes the end."""
        try:
            yield
        except tf.errors.OpError as error:
            if self._mesh is None:
                raise
            if self._mesh.lost:
                raise self._mesh.lost from None
            if not (isinstance(error, _GONE) or "Collective ops is aborted" in str(error)):
                raise
            said = reason(error).partition("Collective ops is aborted by: ")[2] or reason(error)
            raise self._mesh.end(said[:150]) from None
