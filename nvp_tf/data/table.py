"""A person's own table of numbers: `--dataset=table --data_dir=FILE`."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.split import PART_NAMES, DataSet
from nvp_tf.data.table_files import open_table
from nvp_tf.errors import UserError


def table(config: DataConfig) -> DataSet:
    """Rows of a file of text or of Parquet (`table_files`); or of train.*, and valid.* and test.*, of a folder.

    A row with a missing value is dropped, and counted in `about`. For each of `valid` and `test` that is missing a
    tenth of the rest is held out, by a fixed permutation. A constant column is refused where it is trained on.

    Args:
      config: `columns`, by name or, without a header, by number; None for all of them but an index of pandas'.

    Raises:
      UserError: no such file, a column that is not there, a cell that is no number, or too few rows.
    """
    if config.data_dir is None or not Path(config.data_dir).exists():
        raise UserError(f"table has the data_dir {config.data_dir}, expected a file of rows, such as data.csv")
    files = _files(Path(config.data_dir))
    chosen: Sequence[str] = config.columns or ()
    parts, names, dropped = dict[str, np.ndarray](), tuple[str, ...](), 0
    for part, file in files.items():
        try:
            parts[part], found, missing = _read(file, chosen)
        except (UserError, OSError) as error:
            raise UserError(f"{file} {error}") from None
        dropped += missing
        names, chosen = (names, chosen) if names else (found, found or chosen)
    data = from_arrays(parts["train"], parts.get("valid"), parts.get("test"), None, "table")
    event = dataclasses.replace(data.event, columns=tuple(names))
    return dataclasses.replace(data, event=event, about={"rows_dropped": dropped})


def _files(path: Path) -> dict[str, Path]:
    """Part -> its file."""
    if path.is_file():
        return {"train": path}
    found = {
        part: [file for file in sorted(path.iterdir()) if file.name.partition(".")[0].lower() in stems]
        for part, stems in PART_NAMES.items()
    }
    if not found["train"]:
        raise UserError(f"{path} has no train.*, expected a file of rows, or a folder with train.csv and test.csv")
    for part, files in found.items():
        if len(files) > 1:
            raise UserError(f"{path} has {', '.join(f.name for f in files)}, expected one file for {part}")
    return {part: file for part, [file] in ((part, files) for part, files in found.items() if files)}


def _read(file: Path, columns: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...], int]:
    """(float64 [n, D], the columns' names, rows dropped)."""
    opened = open_table(file)
    places, dropped = opened.places(columns), 0
    kept = [np.zeros((0, len(places)))]
    for block in opened.blocks(places):
        faults = [why for row, why in block.wrong.items() if row not in block.incomplete]
        if faults:
            raise UserError(f"{faults[0]}; --columns=... leaves out columns that are no numbers")
        dropped += len(block.wrong)
        kept.append(np.delete(block.values, list(block.wrong), axis=0))
    rows = np.concatenate(kept)
    if not len(rows):
        raise UserError(f"has {dropped} rows{', each with a missing value' * (dropped > 0)}, expected rows of numbers")
    names = tuple(opened.names[place] for place in places) if opened.names else tuple(columns)
    return rows, names, dropped
