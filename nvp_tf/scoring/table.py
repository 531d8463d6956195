"""Tables of scores and of latents, written as they come: OUT is there once it is whole.

If the rest cannot be scored, the rows so far are kept beside it, as `INCOMPLETE`.
"""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.files import PARTIAL
from nvp_tf.scoring.contract import LATENTS
from nvp_tf.scoring.scorer import Row

INCOMPLETE = "incomplete"  # what is beside a table that could not be finished


class Writer(Protocol):
    """Of rows of one kind of file."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None:
        """Closes the file too."""


def beside(out: str | Path, what: str) -> Path:
    """scores.WHAT.csv for scores.csv."""
    out = Path(out)
    return out.with_name(f"{out.stem}.{what}{out.suffix}")


class Table:
    """Rows of (name, answers, error), in a file; a context, whose end gives the file its name.

    Args:
      out: a path ending in .csv or .parquet; of latents in .npz or .parquet.
      columns: of scores, as the model has them, or ("latents",), of [D] each.

    Raises:
      UserError: another suffix.
    """

    def __init__(self, out: str | Path, columns: Sequence[str]) -> None:
        self.out, self._columns = Path(out), columns
        check_suffix(out, LATENTS in columns)
        self._partial = self.out.with_name(f"{PARTIAL}{os.getpid()}-{self.out.name}")
        self.rows = 0

    def __enter__(self) -> Self:
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self._writer = writer(self.out.suffix, open(self._partial, "wb"), self._columns)
        return self

    def write(self, rows: Sequence[Row]) -> None:
        """Adds rows of (name, {column: value} or None, error)."""
        self._writer.write(rows)
        self.rows += len(rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._writer.close()
            if kind is None:
                self._partial.replace(self.out)
            elif self.rows:
                self._partial.replace(beside(self.out, INCOMPLETE))
        finally:
            self._partial.unlink(missing_ok=True)


def check_suffix(out: str | Path, latents: bool) -> None:
    expected = (".npz", ".parquet") if latents else (".csv", ".parquet")
    if Path(out).suffix not in expected:
        raise UserError(f"out is {str(out)!r}, expected a name ending in {' or '.join(expected)}")


def writer(suffix: str, file: IO[bytes], names: Sequence[str]) -> Writer:
    """The writer for a kind of file.

    Args:
      suffix: of .csv, .parquet and .npz.
      file: open to write bytes.
      names: the columns between name and error.
    """
    match suffix:
        case ".csv":
            return _Csv(file, names)
        case ".parquet":
            return _Parquet(file, names)
        case _:
            return _Npz(file)


class _Csv:
    def __init__(self, file: IO[bytes], names: Sequence[str]) -> None:
        self._names = names
        self._file = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(["name", *names, "error"])

    def write(self, rows: Sequence[Row]) -> None:
        for name, answers, error in rows:
            # str of a float32 is the shortest that reads back as it
            values = [str(answers[column]) for column in self._names] if answers else [""] * len(self._names)
            self._csv.writerow([name, *values, error])

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, file: IO[bytes], names: Sequence[str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa, self._names = pa, names
        number = pa.list_(pa.float32()) if tuple(names) == (LATENTS,) else pa.float32()
        text = pa.string()
        self._schema = pa.schema([("name", text), *((name, number) for name in names), ("error", text)])
        self._file, self._writer = file, pq.ParquetWriter(file, self._schema)
        self._waiting: list[Row] = []

    def write(self, rows: Sequence[Row]) -> None:
        self._waiting += rows
        if len(self._waiting) >= 10_000:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()
        self._file.close()

    def _flush(self) -> None:
        names, answers, errors = zip(*self._waiting, strict=True) if self._waiting else ((), (), ())
        values = [[answer and answer[column] for answer in answers] for column in self._names]
        data = [[_utf8(name) for name in names], *values, [error or None for error in errors]]
        arrays = [self._pa.array(column, field.type) for column, field in zip(data, self._schema, strict=True)]
        self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))
        self._waiting = []


class _Npz:
    """Arrays names, latents [n, D] and errors, in memory until the end; the latents of an error are nan."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rows: list[Row] = []

    def write(self, rows: Sequence[Row]) -> None:
        self._rows += rows

    def close(self) -> None:
        width = next((len(answers["latents"]) for _, answers, _ in self._rows if answers), 0)
        nothing = np.full(width, np.nan, np.float32)
        each = [answers["latents"] if answers else nothing for _, answers, _ in self._rows]
        names, errors = [name for name, _, _ in self._rows], [error for _, _, error in self._rows]
        latents = np.array(each, np.float32).reshape(len(names), width)
        with self._file as file:
            np.savez(file, names=np.array(names, str), latents=latents, errors=np.array(errors, str))


def _utf8(name: str) -> str:
    return name.encode(errors="surrogateescape").decode(errors="replace")
