"""An export's model.tflite that answers in this process, by LiteRT: TensorFlow is not imported."""

from pathlib import Path
from typing import Any

import numpy as np

from nvp_tf import cli
from nvp_tf.errors import UserError, reason
from nvp_tf.runtime import cores
from nvp_tf.scoring.contract import event_of, scores_among
from nvp_tf.scoring.scorer import Answers

FILE = "model.tflite"


class LiteModel:
    """As `SavedModel`, to the bound that the export's gate held the file to.

    Args:
      folder: of a version of an export, with `FILE` in it.
      about: what its export.json says (`contract.recorded`).

    Raises:
      UserError: a damaged file, or none of ours.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.folder = folder
        self.held_out: int | None = about.get("reference_scores")
        try:
            with cli.silence():  # it tells of its delegate, once there is a first answer
                interpreter = Interpreter(str(self.folder / FILE), num_threads=cores())
                self._runners = {name: interpreter.get_signature_runner(name) for name in ("score", "encode")}
                [(self._key, values)] = self._runners["score"].get_input_details().items()
                self.event = event_of(values["shape_signature"][1:].tolist(), "float32", about)
                self.scores = scores_among(self.score(np.zeros((1, *self.event.shape))))
        except Exception as error:  # the interpreter has ValueError and RuntimeError for damage
            raise UserError(f"{self.folder / FILE} is not a file of nvp_tf's export: {reason(error)[:300]}") from None

    def score(self, batch: np.ndarray) -> Answers:
        """Output name -> [n], those of `scores`; n at least 1."""
        return self._ask("score", batch)

    def encode(self, batch: np.ndarray) -> Answers:
        """latents -> [n, D]."""
        return self._ask("encode", batch)

    def _ask(self, signature: str, batch: np.ndarray) -> Answers:
        answer = self._runners[signature](**{self._key: np.ascontiguousarray(batch, self.event.dtype)})
        return {name: np.array(value) for name, value in answer.items()}  # theirs are overwritten by the next call
