"""What a run keeps of its training: rows, weights, events, pictures and checkpoints. The chief alone writes them."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError, reason
from nvp_tf.models.flow import Flow
from nvp_tf.pictures import layout
from nvp_tf.pictures.samples import default_count, has_picture, sample_picture
from nvp_tf.runs.checkpoints import Progress
from nvp_tf.runs.run_dir import RunDir


class Records:
    """Writes a run. A disk that is full, or a folder that is gone, is one line; the checkpoint before stays as it was.

    Args:
      run: the run's folder.
      keep: how many checkpoints of evaluated states to keep.

    Attributes:
      begun: whether there is a checkpoint to go on from.
      saved_step, saved_at: of the newest one; its time is `time.monotonic()`'s.
    """

    def __init__(self, run: RunDir, keep: int) -> None:
        self.run, self.checkpoints = run, run.checkpoints(keep)
        self.begun, self.saved_step, self.saved_at = False, 0, time.monotonic()

    def begin(self, parameters: int, taken: dict[str, Any]) -> None:
        """What made the run, and what it took from the data."""
        with self._writing(0):
            self.run.write_metadata(parameters, taken)

    def load(self, variables: Sequence[keras.Variable], evaluated: bool = False) -> Progress | None:
        """Sets the variables to the newest checkpoint that is whole (`Checkpoints.load`)."""
        return self.checkpoints.load(variables, evaluated)

    def save(self, variables: Sequence[keras.Variable], progress: Progress) -> None:
        """A checkpoint."""
        with self._writing(progress.step):
            self.checkpoints.save(variables, progress)

    def saved(self, progress: Progress) -> None:
        """That there is a checkpoint of this progress, in every worker."""
        self.begun, self.saved_step, self.saved_at = True, progress.step, time.monotonic()

    def good_step(self) -> int:
        """Of the newest checkpoint that an evaluation found good."""
        return max(checkpoint.step for checkpoint in self.checkpoints.list() if checkpoint.evaluated)

    def tables(self, progress: Progress) -> None:
        """The rows as of `progress`: those that come after its checkpoint will come again."""
        with self._writing(progress.step):
            if progress.rows:
                self.run.write_metrics(progress.rows, progress.times)
            if progress.rollbacks:
                self.run.write_rollbacks(progress.rollbacks)

    def evaluation(self, progress: Progress, flow: Flow, best: bool) -> None:
        """The weights that were evaluated, the tables, and events with a picture of what the flow draws."""
        with self._writing(progress.step):
            self.run.save_flow(flow, best)
            self.tables(progress)
            self._write_events(progress.rows[-1] | progress.times[-1], flow)

    def score(self, split: str, figures: dict[str, Any], step: int) -> None:
        """Figures of a whole split under the best weights."""
        with self._writing(step):
            self.run.write_score(split, figures)

    def events(self) -> contextlib.AbstractContextManager[object]:
        """A context in which events are written for TensorBoard."""
        with self._writing(self.saved_step):
            return tf.summary.create_file_writer(str(self.run.tensorboard)).as_default()

    def _write_events(self, row: dict[str, Any], flow: Flow) -> None:
        step = row["step"]
        for name, value in row.items():
            if value is not None and name != "step":
                tf.summary.scalar(name, value, step)
        if has_picture(flow):
            picture = sample_picture(flow, default_count(flow))
            layout.save(picture, self.run.samples / f"step-{step:07d}.png")
            tf.summary.image("samples", np.asarray(picture.convert("RGB"))[None], step)
        tf.summary.flush()

    @contextlib.contextmanager
    def _writing(self, step: int) -> Iterator[None]:
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            saved = f"goes on from the checkpoint of step {self.saved_step}, which is whole"
            raise UserError(
                f"{self.run.path} cannot be written at step {step}: {_why(error)}; "
                f"the same command {saved if self.begun else 'begins anew'}"
            ) from error


class NoRecords(Records):
    """Of a worker that is not the chief: what it would write, the chief writes."""

    def begin(self, parameters: int, taken: dict[str, Any]) -> None:
        pass

    def save(self, variables: Sequence[keras.Variable], progress: Progress) -> None:
        pass

    def tables(self, progress: Progress) -> None:
        pass

    def evaluation(self, progress: Progress, flow: Flow, best: bool) -> None:
        pass

    def events(self) -> contextlib.AbstractContextManager[object]:
        return tf.summary.create_noop_writer().as_default()


def _why(error: Exception) -> str:
    """A disk's error in few words: HDF5 adds addresses, and TensorFlow, which writes the events, a page of text."""
    number = errno.ENOSPC if isinstance(error, tf.errors.ResourceExhaustedError) else getattr(error, "errno", None)
    return os.strerror(number) if number else reason(error)
