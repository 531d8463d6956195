"""What a table of numbers is, whatever file it is in: columns by their names, and rows a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from nvp_tf.errors import UserError

BLOCK = 4096  # rows
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
