"""Parquet as a table: one column a feature, or one column of lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nvp_tf.data.table_rows import BLOCK, Block, places
from nvp_tf.errors import UserError, reason

_LISTS = "x"  # which column of lists, where there are several


class ParquetTable:
    """A Parquet file (`table_rows.Table`); a column of lists is `width` columns without names."""

    def __init__(self, file: str | Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.file = file
        try:
            self._opened = pq.ParquetFile(file)
            schema = self._opened.schema_arrow
            lists = [f.name for f in schema if pa.types.is_list(f.type) or pa.types.is_fixed_size_list(f.type)]
            lists = [_LISTS] if _LISTS in lists else lists
            self._list = lists[0] if len(lists) == 1 else ""
            self.names: tuple[str, ...] = () if self._list else tuple(schema.names)
            self.width = self._length() if self._list else len(self.names)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"cannot be read: {reason(error)[:200]}") from None
        if not self._opened.metadata.num_rows:
            raise UserError("has no rows, expected a table of numbers")

    @property
    def rows(self) -> int:
        return self._opened.metadata.num_rows

    def places(self, columns: Sequence[str]) -> list[int]:
        every = self._opened.schema_arrow.names
        if self._list and columns and set(columns) <= {*every} - {self._list}:  # beside the lists
            self._list, self.names, self.width = "", tuple(every), len(every)
        if self._list and columns and len(columns) == self.width:
            return list(range(self.width))
        found = places(self.names, self.width, columns)
        for place in found if self.names else []:
            if not _is_number(kind := self._opened.schema_arrow.field(place).type):
                raise UserError(f"column {self.names[place]} is of {kind}, expected numbers, or a choice of columns")
        return found

    def blocks(self, places: Sequence[int]) -> Iterator[Block]:
        import pyarrow as pa

        first, names = 0, [self._list] if self._list else [self.names[place] for place in places]
        try:
            for batch in self._opened.iter_batches(BLOCK, columns=names):
                if self._list:
                    values, wrong = self._of_lists(batch.column(0), places)
                else:
                    columns = [_numbers(batch.column(name)) for name in names]
                    values, wrong = np.column_stack(columns), {}
                yield _checked(values, first, wrong, self.names and names)
                first += len(values)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"is damaged after {first} rows: {reason(error)[:200]}") from None

    def _of_lists(self, column: Any, places: Sequence[int]) -> tuple[np.ndarray, dict[int, str]]:
        """Values [n, columns], and what is wrong with rows."""
        values, wrong = np.full((len(column), self.width), np.nan), dict[int, str]()
        for i, cells in enumerate(column.to_pylist()):
            if cells is not None and len(cells) != self.width:
                wrong[i] = f"has {len(cells)} values, expected {self.width}"
            elif cells is not None:
                values[i] = [np.nan if cell is None else cell for cell in cells]
        return values[:, list(places)], wrong

    def _length(self) -> int:
        """Of the first list."""
        for batch in self._opened.iter_batches(BLOCK, columns=[self._list]):
            for cells in batch.column(0).to_pylist():
                if cells is not None:
                    return len(cells)
        return 0


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)
    return any(test(kind) for test in tests)


def _numbers(column: Any) -> np.ndarray:
    """float64, nan where there is nothing."""
    import pyarrow as pa

    kind = pa.uint8() if pa.types.is_boolean(column.type) else column.type
    return column.cast(kind).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _checked(values: np.ndarray, first: int, wrong: dict[int, str], names: Sequence[str]) -> Block:
    """A block: nothing is a missing value, and infinity a wrong one."""
    incomplete = []
    for i in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
        if i in wrong:
            continue
        bad = int(np.flatnonzero(~np.isfinite(values[i]))[0])
        called = f"column {names[bad] if names else bad}"
        if np.isinf(values[i]).any():
            wrong[i] = f"has an infinite value, expected a finite number (row {first + i})"
        else:
            wrong[i] = f"has no value in {called}, expected a number (row {first + i})"
            incomplete.append(i)
    values[list(wrong)] = np.nan
    return Block(values, first, wrong, frozenset(incomplete))
