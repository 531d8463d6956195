"""Checkpoints: all that a run goes on from, in one file that is whole and proves it.

A checkpoint is an .npz of every variable of the training state by its number, and of `progress`, the JSON of a
`Progress` and of the variables' names (which the oldest lack); after it come 32 bytes, the SHA-256 of
all that is before. It is written beside, brought to the disk, and renamed: a process that is killed at any moment
leaves the checkpoint before it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.files import written_whole

_DIGEST_SIZE = 32
_NAMES = "names"  # beside what a Progress has


class Variable(Protocol):
    """What is kept in a checkpoint: a Keras variable, whose `path` says which it is, or what is like one."""

    @property
    def shape(self) -> Sequence[int]: ...

    def assign(self, value: np.ndarray) -> object: ...


@dataclass
class Progress:
    """How far a run is, beside its variables.

    step: steps done. rows: what metrics.csv has. times: what times.csv has.
    rollbacks: {"step", "to_step", "reason"} of each divergence; the learning rate is lowered once for each.
    untrained: mean log-likelihood of a few validation examples before the first step.
    count, loss, norm: steps since the last row, with the sums of their losses and gradient norms.
    minutes: of training since the last row; waiting: those of them in which a step's data was waited for.
    """

    step: int = 0
    rows: list[dict] = field(default_factory=list)
    times: list[dict] = field(default_factory=list)
    rollbacks: list[dict] = field(default_factory=list)
    untrained: float = 0.0
    count: int = 0
    loss: float = 0.0
    norm: float = 0.0
    minutes: float = 0.0
    waiting: float = 0.0

    @property
    def evaluated(self) -> bool:
        """Whether this is the state that an evaluation found good; that of step 0 is taken as it is."""
        return self.step == (self.rows[-1]["step"] if self.rows else 0)


@dataclass(frozen=True, order=True)
class Checkpoint:
    """A file of the folder by what its name says. Of two, the later one is the greater.

    rollbacks: how often the run had diverged. evaluated: as of `Progress`.
    """

    rollbacks: int
    step: int
    evaluated: bool

    @property
    def name(self) -> str:
        return f"rollbacks-{self.rollbacks:02d}-step-{self.step:08d}-{'evaluated' if self.evaluated else 'between'}.npz"

    @classmethod
    def of(cls, file: Path) -> Checkpoint | None:
        """What a file's name says; None for one that is no checkpoint's."""
        found = re.fullmatch(r"rollbacks-(\d+)-step-(\d+)-(evaluated|between)\.npz", file.name)
        return cls(int(found[1]), int(found[2]), found[3] == "evaluated") if found else None


class Checkpoints:
    """The last few checkpoints of a run.

    Args:
      folder: where they are; made when the first is written.
      keep: how many of evaluated states to keep. Of the others only the newest is kept, while it is newer.
    """

    def __init__(self, folder: str | Path, keep: int = 2) -> None:
        self.folder, self.keep = Path(folder), keep

    def list(self) -> list[Checkpoint]:
        """The oldest first. Whether they are whole is not looked at."""
        return sorted(filter(None, map(Checkpoint.of, self.folder.glob("*.npz"))))

    def save(self, variables: Sequence[Variable], progress: Progress) -> None:
        """Writes a checkpoint, and then removes those that are too many."""
        import tensorflow as tf  # run_dir.py, which the quickest commands use, imports this file

        new = Checkpoint(len(progress.rollbacks), progress.step, progress.evaluated)
        with written_whole(self.folder / new.name) as partial, open(partial, "wb") as file:
            hashed = _Hashed(file)
            text = json.dumps(dataclasses.asdict(progress) | {_NAMES: _names(variables)}).encode()
            arrays = {str(i): tf.convert_to_tensor(value).numpy() for i, value in enumerate(variables)}
            np.savez(hashed, progress=np.frombuffer(text, np.uint8), **arrays)
            file.write(hashed.digest.digest())
        kept = [c for c in self.list() if c.evaluated][-self.keep :] + self.list()[-1:]
        for checkpoint in self.list():
            if checkpoint not in kept:
                (self.folder / checkpoint.name).unlink()

    def load(self, variables: Sequence[Variable], evaluated: bool = False) -> Progress | None:
        """Sets the variables to the newest whole checkpoint; corrupt ones after it are told of on stderr, and removed.

        Args:
          variables: as they were given to `save`.
          evaluated: only what an evaluation found good.

        Returns:
          Its progress; None where there is no checkpoint.

        Raises:
          UserError: there are checkpoints, and each is corrupt; or one is of another model or version.
        """
        corrupt = []
        for checkpoint in reversed([c for c in self.list() if c.evaluated or not evaluated]):
            file = self.folder / checkpoint.name
            if not _whole(file):
                corrupt.append(file)
                continue
            for other in corrupt:
                print(f"warning: {other} is corrupt: it is removed, and {file.name} taken", file=sys.stderr)
                other.unlink()
            return _load(file, variables)
        if corrupt:
            raise UserError(f"{self.folder}: each of its {len(corrupt)} checkpoints is corrupt: choose another run_dir")
        return None


class _Hashed:
    """What zip files need of a file to be written to, with the digest of all that was."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()

    def read(self, *_: int) -> NoReturn:  # numpy takes what has this for a file
        raise OSError("written only")


def _whole(file: Path) -> bool:
    """Whether a file ends with the digest of all before."""
    size = file.stat().st_size - _DIGEST_SIZE
    if size <= 0:
        return False
    digest = hashlib.sha256()
    with open(file, "rb") as opened:
        while size and (block := opened.read(min(size, 1 << 20))):
            digest.update(block)
            size -= len(block)
        return opened.read() == digest.digest()


def _load(file: Path, variables: Sequence[Variable]) -> Progress:
    with np.load(file) as arrays:
        kept: dict[str, Any] = json.loads(arrays["progress"].tobytes())
        values = [arrays[str(number)] for number in range(len(arrays) - 1)]
    names = kept.pop(_NAMES, None)
    if unknown := kept.keys() - {f.name for f in dataclasses.fields(Progress)}:
        raise UserError(
            f"{file} is of another version of nvp_tf, with {', '.join(sorted(unknown))} in its progress: "
            "choose another run_dir"
        )
    same_shapes = [value.shape for value in values] == [tuple(variable.shape) for variable in variables]
    if not same_shapes or names not in (None, _names(variables)):
        raise UserError(f"{file} is of another model: choose another run_dir")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return Progress(**kept)


def _names(variables: Sequence[Variable]) -> list[str]:
    """The variables' paths, "" where there is none, without numbers: Keras counts all that a process has made."""
    return [re.sub(r"_\d+(?=[_/]|$)", "", getattr(variable, "path", "")) for variable in variables]
