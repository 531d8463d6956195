"""Text with a separator as a table: CSV, TSV, semicolons, blanks; gzip; UTF-8 and UTF-16 with a byte order mark."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from nvp_tf.data.table_rows import BLOCK, MISSING, Block, places
from nvp_tf.errors import UserError, reason

_GZIP, _UTF16 = b"\x1f\x8b", (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = "\t;,|"  # the first that is in the first line; without any, blanks
_PEEKED = 2  # rows that a header is told by


class TextTable:
    """A file of lines (`table_rows.Table`).

    The first row is a header where it has words and no numbers, or a word above a number, or is pandas' of columns
    without names: nothing, 0, 1, 2. With semicolons a comma may be a decimal one.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = file
        rows = self._rows()
        head = list(itertools.islice(rows, _PEEKED))
        rows.close()
        if not head:
            raise UserError("has no rows, expected a table of numbers")
        (_, self._first), *rest = head
        self._header = _is_header(self._first, [row for _, row in rest], self._number)
        self.names = tuple(word.strip() for word in self._first) if self._header else ()
        self.width = len(self._first)

    def places(self, columns: Sequence[str]) -> list[int]:
        return places(self.names, self.width, columns)

    def blocks(self, places: Sequence[int]) -> Iterator[Block]:
        rows, first = itertools.islice(self._rows(), int(self._header), None), 0
        while chunk := list(itertools.islice(rows, BLOCK)):
            yield self._block(chunk, places, first)
            first += len(chunk)

    def _block(self, chunk: list[tuple[int, list[str]]], places: Sequence[int], first: int) -> Block:
        try:  # almost always; what is wrong is looked for where this fails
            if any(len(row) != self.width for _, row in chunk):
                raise ValueError
            cells = [float(row[place]) for _, row in chunk for place in places]
            values = np.array(cells, np.float64).reshape(len(chunk), len(places))
            if np.isfinite(values).all():
                return Block(values, first)
        except ValueError:
            pass
        values, wrong, incomplete = np.full((len(chunk), len(places)), np.nan), dict[int, str](), list[int]()
        for i, (line, row) in enumerate(chunk):
            try:
                missing = self._values(row, places, values[i])
            except UserError as error:
                wrong[i] = f"{error} (line {line})"
                continue
            if missing:
                wrong[i] = f"has no value in {missing}, expected a number (line {line})"
                incomplete.append(i)
        values[list(wrong)] = np.nan
        return Block(values, first, wrong, frozenset(incomplete))

    def _values(self, row: list[str], places: Sequence[int], out: np.ndarray) -> str:
        """Fills in the numbers of a row; the first column without one, or ""."""
        if len(row) != self.width:
            raise UserError(f"has {len(row)} values, expected {self.width}")
        missing = ""
        for i, place in enumerate(places):
            if row[place].strip().casefold() in MISSING:
                missing = missing or self._called(place)
                continue
            number = self._number(row[place])
            if number is None or not np.isfinite(number):
                raise UserError(f"has {row[place]!r}, expected a {'finite ' if number else ''}number")
            out[i] = number
        return missing

    def _called(self, place: int) -> str:
        return f"column {self.names[place] if self.names else place}"

    def _number(self, word: str) -> float | None:
        try:
            return float(word.replace(",", ".") if self._separator == ";" else word)
        except ValueError:
            return None

    def _rows(self) -> Generator[tuple[int, list[str]], None, None]:
        """(line number from 1, cells) of each row that is not blank."""
        try:
            with open(self.file, "rb") as raw:
                stream = gzip.GzipFile(fileobj=raw) if _begins(raw, _GZIP) else raw
                encoding = "utf-16" if _begins(stream, *_UTF16) else "utf-8-sig"
                with io.TextIOWrapper(stream, encoding, "replace", newline="") as text:
                    first = text.readline().lstrip("# ")  # as numpy.savetxt begins a header
                    unquoted = re.sub('"[^"]*"', "", first)
                    self._separator = next((sign for sign in _SEPARATORS if sign in unquoted), "")
                    lines = itertools.chain([first], text)
                    yield from _split(lines, self._separator)
        except (OSError, EOFError, csv.Error, zlib.error) as error:
            raise UserError(f"cannot be read: {reason(error)}") from None


def _begins(stream: io.BufferedReader | gzip.GzipFile, *marks: bytes) -> bool:
    return stream.peek(2)[:2] in marks


def _split(lines: Iterable[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    if not separator:
        yield from ((number, words) for number, line in enumerate(lines, 1) if (words := line.split()))
        return
    rows = csv.reader(lines, delimiter=separator)
    for row in rows:
        if any(map(str.strip, row)) or len(row) > 1:
            yield rows.line_num, row


def _is_header(first: list[str], rest: list[list[str]], number: Callable[[str], float | None]) -> bool:
    words = [word.strip().casefold() not in MISSING and number(word) is None for word in first]
    if any(words):
        numbers = any(number(word) is not None for word in first)
        below = rest[0] if rest else []
        return not numbers or any(word and number(under) is not None for word, under in zip(words, below, strict=False))
    return not first[0] and len(first) > 1 and first[1:] == [str(i) for i in range(len(first) - 1)]
