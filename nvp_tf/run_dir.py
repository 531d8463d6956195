"""A run on disk: everything a later command needs, in one folder, each file written whole or not at all.

config.json         the Config; the folder alone rebuilds the model
metadata.json       versions, parameter count, when and where it was made
state.weights.h5    what training resumes from: weights, optimizer, averages
last.weights.h5     the flow as of the last evaluation (the averaged weights, where they are kept)
best.weights.h5     the flow with the best validation score
metrics.csv         one row an evaluation
scores.json         figures of whole splits under the best weights, as training and bin/evaluate.py found them
samples/            pictures drawn along the way
tensorboard/        the same scalars and pictures for TensorBoard
"""

import csv
import json
import math
import os
import platform
import time
from pathlib import Path

from nvp_tf.config import Config
from nvp_tf.errors import UserError
from nvp_tf.files import PARTIAL, write_text, written_whole

WEIGHTS = ("best", "last")


class RunDir:
    """Reads and writes the files of one run.

    Args:
      path: the folder; `create` makes it, everything else wants it there.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.state = self.path / "state.weights.h5"
        self.samples = self.path / "samples"
        self.tensorboard = self.path / "tensorboard"

    @classmethod
    def create(cls, path, config: Config) -> "RunDir":
        """A new run, or the one that is there if it is the same.

        Raises:
          UserError: another config is there, or files that are not of a run.
        """
        run = cls(path)
        if run._config_file.exists():
            differences = run.config.differences(config)
            if differences:
                raise UserError(
                    f"{path} holds a run of another config ({'; '.join(differences)}): choose another run_dir"
                )
            run._remove_leftovers()
            return run
        if run.path.is_dir() and all(file.name.startswith(PARTIAL) for file in run.path.iterdir()):
            run._remove_leftovers()
        if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
            raise UserError(f"{path} is not a run (it has no config.json) and is not empty: choose another run_dir")
        run.path.mkdir(parents=True, exist_ok=True)
        write_text(run._config_file, config.to_json())
        return run

    @property
    def config(self) -> Config:
        """The run's config. Raises UserError where there is none, or one that cannot be read."""
        if not self._config_file.is_file():
            raise UserError(f"{self.path} is not a run: it has no config.json")
        try:
            return Config.from_json(self._config_file.read_text(encoding="utf-8"))
        except (UserError, UnicodeDecodeError) as error:
            raise UserError(f"{self._config_file}: {error}") from None

    def weights_file(self, which="best") -> Path:
        """The file of the flow's weights, "best" or "last".

        Raises:
          UserError: another name, or a run that has not been evaluated yet, or never with a score.
        """
        if which not in WEIGHTS:
            raise UserError(f"weights is {which!r}, expected one of {', '.join(WEIGHTS)}")
        file = self.path / f"{which}.weights.h5"
        if not file.is_file():
            raise UserError(f"{self.path} has no {file.name}: {self._why_no_weights()}")
        return file

    def _why_no_weights(self):
        scores = [row["valid_log_prob"] for row in self.read_evaluations()]
        if scores and all(math.isnan(score) for score in scores):
            return f"each of its {len(scores)} validation scores is nan, expected a number; look at the validation data"
        return "the run has no evaluated weights yet, train it further"

    def load_flow(self, which="best", dtype="float32"):
        """The run's Flow with its weights, both directions exact."""
        from nvp_tf.models.build import build

        flow = build(self.config.model.exact(), dtype)
        load_weights(flow, self.weights_file(which))
        return flow

    def save_flow(self, flow, which):
        if which == "best":
            self._scores_file.unlink(missing_ok=True)  # of the weights that go
        save_weights(flow, self.path / f"{which}.weights.h5")

    def write_metadata(self, parameters: int, whitening: dict | None):
        """What made this run, and what it took from the data: written once, when it starts."""
        import keras
        import tensorflow as tf

        versions = {"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__}
        made = {
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "machine": platform.platform(),
            "cores": os.cpu_count(),
        }
        value = {"parameters": parameters, "whitening": whitening, "versions": versions} | made
        write_text(self._metadata_file, json.dumps(value, indent=2) + "\n")

    @property
    def metadata(self) -> dict:
        """What `write_metadata` wrote; {} where training has not begun."""
        return self._read_json(self._metadata_file)

    @property
    def scores(self) -> dict[str, dict]:
        """Split -> the figures of its last whole evaluation under the best weights."""
        return self._read_json(self._scores_file)

    def write_score(self, split: str, figures: dict):
        """Keeps the figures of a whole split under the best weights."""
        write_text(self._scores_file, json.dumps(self.scores | {split: figures}, indent=2) + "\n")

    def _read_json(self, file):
        try:
            return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{file} is corrupt: {error}") from None

    def read_metrics(self) -> list[dict]:
        """The rows of metrics.csv as floats; an empty cell is None."""
        if not self._metrics_file.is_file():
            return []
        with open(self._metrics_file, newline="", encoding="utf-8") as file:
            return [{k: float(v) if v else None for k, v in row.items()} for row in csv.DictReader(file)]

    def read_evaluations(self) -> list[dict]:
        """The rows with a validation score: all but those of where training was stopped in between."""
        return [row for row in self.read_metrics() if row["valid_log_prob"] is not None]

    def write_metrics(self, rows: list[dict]):
        """All rows anew: a killed run never leaves half a line."""
        lines = [",".join(rows[0])] + [",".join("" if v is None else f"{v:.10g}" for v in row.values()) for row in rows]
        write_text(self._metrics_file, "\n".join(lines) + "\n")

    def _remove_leftovers(self):
        """What a process that was killed amid writing left behind."""
        for file in self.path.glob(f"{PARTIAL}*"):
            file.unlink()

    @property
    def _config_file(self):
        return self.path / "config.json"

    @property
    def _metadata_file(self):
        return self.path / "metadata.json"

    @property
    def _metrics_file(self):
        return self.path / "metrics.csv"

    @property
    def _scores_file(self):
        return self.path / "scores.json"


def save_weights(model, file: Path):
    """All of a model's weights, and of what it holds."""
    with written_whole(file) as partial:
        model.save_weights(partial)


def load_weights(model, file: Path):
    """Raises UserError for a file that is corrupt or of another model."""
    try:
        model.load_weights(file)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:200]
        raise UserError(f"{file} is corrupt or of another model: {reason}") from None
