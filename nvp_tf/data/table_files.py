"""Tables of numbers as people hold them, read as a stream: text with separators, and Parquet. No TensorFlow.

table = open_table("data.csv.gz")
table.names                            ("", "height", "weight"), or () without a header
places = table.places(("weight",))     where the columns that are asked for stand
for block in table.blocks(places): ...
"""

from pathlib import Path

from nvp_tf.data.parquet_table import ParquetTable
from nvp_tf.data.table_rows import Table
from nvp_tf.data.text_table import TextTable

_PARQUET = b"PAR1"  # how such a file begins


def open_table(file: str | Path) -> Table:
    """The table in a file, known by its content.

    Raises:
      UserError: a file that cannot be read, or has no rows.
    """
    with open(file, "rb") as opened:
        is_parquet = opened.read(len(_PARQUET)) == _PARQUET
    return ParquetTable(file) if is_parquet else TextTable(file)
