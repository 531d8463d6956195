"""A run on disk: everything a later command needs, in one folder, each file written whole or not at all.

config.json         the Config; the folder alone rebuilds the model
metadata.json       versions (nvp_tf's and its commit too), parameter count, when and where it was made
checkpoints/        what training goes on from: weights, optimizer, averages, records; the last few
last.weights.h5     the flow as of the last evaluation (the averaged weights, where they are kept)
best.weights.h5     the flow with the best validation score
metrics.csv         one row an evaluation; the same to the byte however often the run was killed
times.csv           what each row of it took: minutes, images a second, the share of waiting for data, memory
rollbacks.json      where the run diverged, where it went on from, and why; if it did
scores.json         figures of whole splits under the best weights, as training and nvp_tf evaluate found them
samples/            pictures drawn along the way
tensorboard/        the same scalars and pictures for TensorBoard
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nvp_tf.config.schema import Config
from nvp_tf.errors import UserError
from nvp_tf.files import PARTIAL, json_text, read_json, write_text, written_whole
from nvp_tf.runs.checkpoints import Checkpoints
from nvp_tf.runs.provenance import provenance
from nvp_tf.runtime import cores

if TYPE_CHECKING:  # the quickest commands import this file
    import keras

    from nvp_tf.models.flow import Flow

WEIGHTS = ("best", "last")


class RunDir:
    """Reads and writes the files of one run.

    Args:
      path: the folder; `create` makes it, everything else wants it there.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.samples = self.path / "samples"
        self.tensorboard = self.path / "tensorboard"

    @classmethod
    def create(cls, path: str | os.PathLike, config: Config) -> RunDir:
        """A new run, or the one that is there if it is the same.

        Raises:
          UserError: another config is there, or files that are not of a run.
        """
        run = cls(path)
        if run.begun:
            differences = run.config.differences(config.settled_by(run.config))
            if differences:
                raise UserError(
                    f"{path} holds a run of another config ({'; '.join(differences)}): choose another run_dir"
                )
            if run._weights_alone():
                raise UserError(f"{path} has weights but no checkpoint to go on from: choose another run_dir")
            return run
        if run.path.is_dir() and all(file.name.startswith(PARTIAL) for file in run.path.iterdir()):
            run._remove_leftovers()
        if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
            raise UserError(f"{path} is not a run (it has no config.json) and is not empty: choose another run_dir")
        run.path.mkdir(parents=True, exist_ok=True)
        write_text(run._config_file, config.to_json())
        return run

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """While one process trains: another is refused. Removes what one that was killed amid writing left."""
        with open(self._config_file) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{self.path} is being trained by another process: choose another run_dir") from None
            except OSError:  # a file system without locks
                pass
            self._remove_leftovers()
            yield

    @property
    def begun(self) -> bool:
        """Whether there is a run, with its config at least."""
        return self._config_file.is_file()

    def checkpoints(self, keep: int = 2) -> Checkpoints:
        return Checkpoints(self.path / "checkpoints", keep)

    @property
    def config(self) -> Config:
        """The run's config. Raises UserError where there is none, or one that cannot be read."""
        if not self.begun:
            raise UserError(f"{self.path} is not a run: it has no config.json")
        try:
            return Config.from_json(self._config_file.read_text(encoding="utf-8"))
        except (UserError, UnicodeDecodeError) as error:
            raise UserError(f"{self._config_file}: {error}") from None

    def weights_file(self, which: str = "best") -> Path:
        """The file of the flow's weights, "best" or "last".

        Raises:
          UserError: another name, or a run that has not been evaluated yet.
        """
        if which not in WEIGHTS:
            raise UserError(f"weights is {which!r}, expected one of {', '.join(WEIGHTS)}")
        file = self.path / f"{which}.weights.h5"
        if not file.is_file():
            raise UserError(f"{self.path} has no {file.name}: the run has no evaluated weights yet, train it further")
        return file

    def load_flow(self, which: str = "best", dtype: str = "float32") -> Flow:
        """The run's Flow with its weights, both directions exact."""
        from nvp_tf.models.build import build

        flow = build(self.config.model, dtype)
        load_weights(flow, self.weights_file(which))
        return flow

    def save_flow(self, flow: Flow, best: bool) -> None:
        """Keeps weights as the last ones, and as the best ones where they are that."""
        last, kept = (self.path / f"{which}.weights.h5" for which in ("last", "best"))
        save_weights(flow, last)
        if best:
            self._scores_file.unlink(missing_ok=True)  # of the weights that go
            with written_whole(kept) as partial:
                shutil.copyfile(last, partial)

    def write_metadata(self, parameters: int, taken: dict[str, Any]) -> None:
        """What made this run, and what it took from the data: written once, when it starts."""
        import keras
        import tensorflow as tf

        versions = provenance() | {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        }
        made = {
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "machine": platform.platform(),
            "cores": cores(),
        }
        value = {"parameters": parameters, **taken, "versions": versions} | made
        write_text(self._metadata_file, json_text(value, indent=2) + "\n")

    @property
    def metadata(self) -> dict:
        """What `write_metadata` wrote; {} where training has not begun."""
        return self._read_json(self._metadata_file)

    @property
    def scores(self) -> dict[str, dict]:
        """Split -> the figures of its last whole evaluation under the best weights."""
        return self._read_json(self._scores_file)

    def write_score(self, split: str, figures: dict) -> None:
        """Keeps the figures of a whole split under the best weights."""
        write_text(self._scores_file, json_text(self.scores | {split: figures}, indent=2) + "\n")

    def _read_json(self, file: Path) -> Any:
        try:
            return read_json(file.read_text(encoding="utf-8")) if file.is_file() else {}
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{file} is corrupt: {error}") from None

    def read_metrics(self) -> list[dict]:
        """The rows of metrics.csv as floats, each with what times.csv has of its step; an empty cell is None."""
        times = {row["step"]: row for row in _read_table(self._times_file)}
        return [row | times.get(row["step"], {}) for row in _read_table(self._metrics_file)]

    def read_evaluations(self) -> list[dict]:
        """The rows with a validation score."""
        return [row for row in self.read_metrics() if row["valid_log_prob"] is not None]

    def write_metrics(self, rows: Sequence[dict], times: Sequence[dict] = ()) -> None:
        """Both tables anew: a killed run never leaves half a line."""
        _write_table(self._metrics_file, rows)
        if times:
            _write_table(self._times_file, times)

    @property
    def rollbacks(self) -> list[dict]:
        """{"step", "to_step", "reason"} of each time that the run diverged."""
        return self._read_json(self._rollbacks_file) or []

    def write_rollbacks(self, rollbacks: list[dict]) -> None:
        write_text(self._rollbacks_file, json_text(rollbacks, indent=2) + "\n")

    def _weights_alone(self) -> bool:
        return any((self.path / f"{which}.weights.h5").exists() for which in WEIGHTS) and not self.checkpoints().list()

    def _remove_leftovers(self) -> None:
        """What a process that was killed amid writing left behind."""
        for file in self.path.rglob(f"{PARTIAL}*"):
            file.unlink()

    @property
    def _config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def _metadata_file(self) -> Path:
        return self.path / "metadata.json"

    @property
    def _metrics_file(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def _times_file(self) -> Path:
        return self.path / "times.csv"

    @property
    def _rollbacks_file(self) -> Path:
        return self.path / "rollbacks.json"

    @property
    def _scores_file(self) -> Path:
        return self.path / "scores.json"


def _read_table(file: Path) -> list[dict[str, float | None]]:
    if not file.is_file():
        return []
    with open(file, newline="", encoding="utf-8") as opened:
        return [{k: float(v) if v else None for k, v in row.items()} for row in csv.DictReader(opened)]


def _write_table(file: Path, rows: Sequence[dict]) -> None:
    lines = [",".join(rows[0])] + [",".join("" if v is None else f"{v:.10g}" for v in row.values()) for row in rows]
    write_text(file, "\n".join(lines) + "\n")


def save_weights(model: keras.Model, file: Path) -> None:
    """All of a model's weights, and of what it holds."""
    from nvp_tf.layers.keras_private import remember_attributes

    # HDF5 ends the process where the disk is full. It adds up to 3 kB to each weight.
    room = sum(weight.numpy().nbytes + 4096 for weight in model.weights) + 4096
    remember_attributes()
    with written_whole(file, room) as partial:
        model.save_weights(partial)


def load_weights(model: keras.Model, file: Path) -> None:
    """Raises UserError for a file that is corrupt or of another model."""
    from nvp_tf.layers.keras_private import remember_attributes

    remember_attributes()
    try:
        model.load_weights(file)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:200]
        raise UserError(f"{file} is corrupt or of another model: {reason}") from None
