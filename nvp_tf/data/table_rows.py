"""Tables of numbers as people hold them, read as a stream: text with separators, and Parquet. No TensorFlow.

table = open_table("data.csv.gz")
table.names                            ("", "height", "weight"), or () without a header
places = table.places(("weight",))     where the columns that are asked for stand
for block in table.blocks(places): ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from nvp_tf.errors import UserError

BLOCK = 4096  # rows
PARQUET = b"PAR1"  # how such a file begins
_INDEX = ("", "Unnamed: 0", "__index_level_0__")  # what an index without a name comes to, of pandas
MISSING = frozenset(("", "na", "n/a", "nan", "-nan", "null", "none", "<na>", "#n/a", "?"))  # in any case


@dataclass(frozen=True)
class Block:
    """Rows one after the other.

    values: float64 [n, columns]; nan in the rows that are wrong.
    first: the number of the first, from 0; a header and blank lines are not counted.
    wrong: row of the block -> why it has no values.
    incomplete: those of the wrong ones that lack a value and have no other fault.
    """

    values: np.ndarray
    first: int
    wrong: dict[int, str] = field(default_factory=dict)
    incomplete: frozenset[int] = frozenset()


class Table(Protocol):
    """A file's columns and rows.

    names: of all columns; () where the file has none.
    width: how many columns there are.
    """

    names: tuple[str, ...]
    width: int

    def places(self, columns: Sequence[str]) -> list[int]:
        """Where the columns of these names, or all but an index, stand.

        Raises:
          UserError: one that is not there.
        """

    def blocks(self, places: Sequence[int]) -> Iterator[Block]:
        """Yields these columns' values; raises UserError where the file is damaged from there on."""


def open_table(file: str | Path) -> Table:
    """The table in a file, known by its content.

    Raises:
      UserError: a file that cannot be read, or has no rows.
    """
    from nvp_tf.data.parquet_table import ParquetTable
    from nvp_tf.data.text_table import TextTable

    with open(file, "rb") as opened:
        is_parquet = opened.read(len(PARQUET)) == PARQUET
    return ParquetTable(file) if is_parquet else TextTable(file)


def places(names: Sequence[str], width: int, columns: Sequence[str]) -> list[int]:
    """Where `columns` stand among `names`, in their order; of a file without names those of these numbers, or all
    where there are as many. Without columns all but an index."""
    if not columns:
        return [place for place in range(width) if not names or names[place] not in _INDEX]
    if names:
        for name in columns:
            if names.count(name) != 1:
                has = f"has the columns {', '.join(names)}"
                raise UserError(f"{has}, expected {name!r} {'once' if name in names else 'among them'}")
        return [names.index(name) for name in columns]
    numbers = [int(name) if name.isdigit() else width for name in columns]
    if max(numbers) < width:
        return numbers
    if len(columns) == width:
        return list(range(width))
    raise UserError(f"has {width} columns and no names, expected {', '.join(columns)}")
