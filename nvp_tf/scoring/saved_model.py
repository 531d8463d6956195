"""An export that answers in this process."""

from pathlib import Path

import numpy as np

from nvp_tf.errors import UserError, reason
from nvp_tf.scoring.contract import event_of, newest_version, recorded, scores_among
from nvp_tf.scoring.scorer import Answers


class SavedModel:
    """A SavedModel of ours, and its answers.

    Args:
      model: saved_models/NAME, whose newest version is meant, or saved_models/NAME/VERSION.

    Attributes:
      event: of an example.
      scores: the names of what `score` answers.
      held_out: how many held-out examples its p-values are among; None where export.json does not say.

    Raises:
      UserError: no such folder, not an export of nvp_tf, or a damaged one.
    """

    def __init__(self, model: str | Path) -> None:
        self.folder = newest_version(model)
        import tensorflow as tf

        try:
            self._signatures = tf.saved_model.load(str(self.folder)).signatures
            [(self._key, spec)] = self._signatures["score"].structured_input_signature[1].items()
        except Exception as error:  # protobuf, TensorFlow and Python have their own for damage
            raise UserError(f"{self.folder} is not a whole export of nvp_tf: {reason(error)[:300]}") from None
        about = recorded(self.folder)
        self.event = event_of(spec.shape[1:], spec.dtype.name, about)
        self.held_out: int | None = about.get("reference_scores")
        self.scores = scores_among(self._signatures["score"].structured_outputs)
        self._tensor = tf.constant

    def score(self, batch: np.ndarray) -> Answers:
        """Output name -> [n], those of `scores`."""
        return self._ask("score", batch)

    def encode(self, batch: np.ndarray) -> Answers:
        """latents -> [n, D]."""
        return self._ask("encode", batch)

    def _ask(self, signature: str, batch: np.ndarray) -> Answers:
        answer = self._signatures[signature](**{self._key: self._tensor(batch, self.event.dtype)})
        return {name: np.asarray(value) for name, value in answer.items()}
