"""A model behind TensorFlow Serving: what both protocols share.

grpc://host:port    tensorflow.serving.PredictionService
http://host:port    its REST API (https:// too)
"""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.scoring.contract import scores_among
from nvp_tf.scoring.scorer import Answers

Answer = TypeVar("Answer")


class Unavailable(Exception):
    """No answer this time; the same request may get one later."""


class Server(ABC):
    """A client of one protocol.

    Args:
      address: with its scheme.
      model: the name that the server has for it.
      label: a version label such as "stable"; "" for the newest version.
      deadline: seconds that one request may take.
      tries: how often a request is made that gets no answer, each time after a longer pause.

    Attributes:
      event, scores: as of `SavedModel`.
      held_out: None, which a server does not tell.

    Raises:
      UserError: no answer, no such model or label, or a model that is not an export of nvp_tf.
    """

    held_out: int | None = None

    def __init__(self, address: str, model: str, label: str = "stable", deadline: float = 30.0, tries: int = 6) -> None:
        self.address, self.model, self.label = address, model, label
        self.deadline, self.tries = deadline, tries
        self._connect()
        name, shape, dtype, outputs = self._patiently(self._metadata)
        self.event, self.scores = Event.of_signature(shape, dtype), scores_among(outputs)
        if (name, dtype) != (self.event.name, self.event.dtype.name):
            raise UserError(f"{model} on {address} takes {dtype} {name} {shape}, expected an export of nvp_tf")

    @abstractmethod
    def _connect(self) -> None:
        """Makes what the others ask with; nothing is sent yet."""

    @abstractmethod
    def _metadata(self) -> tuple[str, tuple[int, ...], str, Iterable[str]]:
        """(name, shape, dtype's name) of the one input of the signature `score`, and the names of its outputs."""

    @abstractmethod
    def _ask(self, signature: str, batch: np.ndarray) -> Answers:
        """What a signature answers; raises `Unavailable`, `Refused` or UserError."""

    def score(self, batch: np.ndarray) -> Answers:
        """Output name -> [n], those of `scores`; `Refused` for a batch at fault, UserError if the server stays away."""
        return self._patiently(lambda: self._ask("score", batch))

    def encode(self, batch: np.ndarray) -> Answers:
        """latents -> [n, D]."""
        return self._patiently(lambda: self._ask("encode", batch))

    def _patiently(self, request: Callable[[], Answer]) -> Answer:
        for attempt in range(self.tries):
            try:
                return request()
            except Unavailable as error:
                why = error
            if attempt + 1 < self.tries:
                # Twice as long each time, and no two clients at once.
                time.sleep(min(20.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0))
        raise UserError(f"no answer from {self.address} in {self.tries} tries: {why}")
