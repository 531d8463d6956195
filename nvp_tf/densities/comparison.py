"""A comparison on disk, and its rows one after the other: each in a process of its own, each kept as it is done.

compare.json         the data and the budget that all rows share
rows/NAME-SEED.json  what was asked of a row and what came of it
models/NAME-SEED/    the trained density (`saved.py`), its samples and log.txt
table.md, table.csv  the rows so far; index.html and its pictures at the end (`page.py`)
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nvp_tf.config.codec import encode
from nvp_tf.config.schema import DataConfig
from nvp_tf.densities.candidates import Candidate
from nvp_tf.densities.worker import FAILED
from nvp_tf.errors import UserError
from nvp_tf.files import write_text

PATIENCE = 3600  # seconds that a row may take beyond thrice its budget


@dataclass(frozen=True)
class Terms:
    """What all rows of a comparison share.

    seconds: of wall-clock for `fit`, None for no end; steps: of `fit`, None for no end.
    num: test examples that are scored.
    """

    data: DataConfig
    seconds: float | None
    steps: int | None
    num: int

    def encoded(self) -> dict:
        return {"data": encode(self.data), "seconds": self.seconds, "steps": self.steps, "num": self.num}


class Comparison:
    """The folder of one comparison; the same terms again go on where it stopped, with more seeds or families too.

    Raises:
      UserError: a folder of something else, or of other terms.
    """

    def __init__(self, folder: str | Path, terms: Terms) -> None:
        self.folder, self.terms = Path(folder), terms
        file = self.folder / "compare.json"
        if file.is_file():
            before = _read(file)
            for name, value in terms.encoded().items():
                if (found := before.get(name)) != value:
                    raise UserError(f"{folder} is a comparison with {name} {found}, expected {value}: choose another")
        elif self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise UserError(f"{folder} is not empty and has no compare.json: choose another folder")
        else:
            write_text(file, json.dumps(terms.encoded(), indent=2) + "\n")

    def run(self, candidates: list[Candidate], seeds: int, done: Callable[[dict], None]) -> list[dict]:
        """All rows, those that are not there yet made now: first every candidate's seed 0, then every one's seed 1.

        Args:
          done: called with each row.

        Raises:
          UserError: a row that is there but of other settings.
        """
        asked = [(candidate, seed) for seed in range(seeds) for candidate in candidates]
        for candidate, seed in asked:  # before hours are spent
            self._kept(candidate, seed)
        rows = []
        for candidate, seed in asked:
            row = self._kept(candidate, seed) or self._make(candidate, seed)
            rows.append(row)
            done(row)
        return rows

    def model(self, row: dict) -> Path:
        """The folder of a row's density."""
        return self._model(row["name"], row["seed"])

    def drawn(self, row: dict) -> Path:
        """The file of a row's samples."""
        return self.model(row) / "drawn.npz"

    def _kept(self, candidate: Candidate, seed: int) -> dict | None:
        file = self._file(candidate.name, seed)
        if not file.is_file():
            return None
        row = _read(file)
        if row.get("settings") != _settings(candidate):
            raise UserError(f"{file} is of other settings of {candidate.name}: remove it, or choose another folder")
        return row

    def _make(self, candidate: Candidate, seed: int) -> dict:
        head = {"name": candidate.name, "family": candidate.family, "seed": seed, "settings": _settings(candidate)}
        found = {"status": FAILED, "why": candidate.why} if candidate.why else self._work(candidate, seed)
        write_text(self._file(candidate.name, seed), json.dumps(head | found, indent=2) + "\n")
        return head | found

    def _work(self, candidate: Candidate, seed: int) -> dict:
        """What a worker says of the row, or how it ended."""
        folder = self._model(candidate.name, seed)
        folder.mkdir(parents=True, exist_ok=True)
        result, spec_file = folder / "result.json", folder / "spec.json"
        result.unlink(missing_ok=True)
        head = {"family": candidate.family, "settings": _settings(candidate), "seed": seed}
        spec = head | self.terms.encoded() | {"folder": str(folder), "row": str(result)}
        write_text(spec_file, json.dumps(spec, indent=2) + "\n")
        patience = None if self.terms.seconds is None else 3 * self.terms.seconds + PATIENCE
        with open(folder / "log.txt", "wb") as log:
            line = [sys.executable, "-m", "nvp_tf.densities.worker", str(spec_file)]
            with subprocess.Popen(line, stdout=log, stderr=log) as process:
                try:
                    status = process.wait(patience)
                except subprocess.TimeoutExpired:
                    process.kill()
                    return {"status": FAILED, "why": f"it was stopped after {patience:.0f} seconds"}
                except BaseException:
                    process.kill()
                    raise
        if result.is_file():
            return _read(result)
        return {"status": FAILED, "why": _ending(status)}

    def _file(self, name: str, seed: int) -> Path:
        return self.folder / "rows" / f"{name}-{seed}.json"

    def _model(self, name: str, seed: int) -> Path:
        return self.folder / "models" / f"{name}-{seed}"


def _settings(candidate: Candidate) -> dict | None:
    return None if candidate.settings is None else encode(candidate.settings)


def _ending(status: int) -> str:
    if status < 0:
        memory = ", as where memory is short" if -status == signal.SIGKILL else ""
        return f"its process was ended by {signal.Signals(-status).name}{memory}"
    return f"its process ended with status {status}: {os.path.join('models', '...', 'log.txt')} says why"


def _read(file: Path) -> dict:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is corrupt: {error}") from None
