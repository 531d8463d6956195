"""Rows of tables of numbers as Items (`data/table_files.py`): text with separators, and Parquet of numbers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nvp_tf.data.table_files import open_table
from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.scoring.items import Item, item


def rows(file: str | Path, event: Event) -> Iterator[Item]:
    """Yields a vector a row, of the columns that the event names, wherever they stand; without names of all but an
    index of pandas'. A row that lacks a value, or has a word, is one with its error.

    Raises:
      UserError: a file that is no table, or has other columns; of images.
    """
    if event.is_image:
        raise UserError("is a table of numbers, expected images")
    table = open_table(file)
    places = table.places(event.columns)
    if len(places) != event.dimensions:
        named = f" ({', '.join(table.names[place] for place in places)})" if table.names else ""
        raise UserError(f"has {len(places)} columns{named}, expected {event.dimensions}")
    number = 0
    try:
        for block in table.blocks(places):
            for row, values in enumerate(block.values):
                number = block.first + row
                name = f"{file}:{number}"
                wrong = block.wrong.get(row)
                yield Item(name, error=wrong) if wrong else item(event, name, np.asarray, values)
            number += 1
    except UserError as error:
        yield Item(f"{file}:{number}", error=str(error))
