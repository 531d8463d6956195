"""Files of records as Items: TFRecord files of tf.train.Example, and Parquet."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nvp_tf.errors import UserError, reason
from nvp_tf.event import Event, describe
from nvp_tf.pictures.decoding import Fit
from nvp_tf.scoring import pictures
from nvp_tf.scoring.items import Item, item

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("image", "images", "x")  # where a value is looked for


def tfrecord(file: str | Path, event: Event, fit: Fit | None) -> Iterator[Item]:
    """Yields the Examples' values: feature `image` (an encoded picture, raw bytes or integers) or `x` (floats)."""
    import tensorflow as tf

    compression = "GZIP" if str(file).endswith(".gz") else ""
    number, records, size = 0, iter(tf.data.TFRecordDataset(str(file), compression)), 0
    while True:
        try:
            record = next(records, None)
        except tf.errors.OpError as error:
            yield _damaged(file, number, reason(error)[:200])
            return
        if record is None:
            # TensorFlow takes a file that is cut within the twelve bytes before a record for a whole one.
            if not compression and size != os.path.getsize(file):
                yield _damaged(file, number, "it is truncated")
            return
        record = record.numpy()
        yield item(event, f"{file}:{number}", _example, record, event, fit)
        number += 1
        size += 16 + len(record)


def _damaged(file: str | Path, number: int, why: str) -> Item:
    reached = f" after {number} records" if number else ""
    return Item(f"{file}:{number}" if number else str(file), error=f"is damaged{reached}: {why}")


def parquet(file: str | Path, event: Event, fit: Fit | None) -> Iterator[Item]:
    """Yields a column's values: `image` (an encoded picture, raw bytes or a list of integers) or `x` (a list)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        table = pq.ParquetFile(file)
        names = table.schema_arrow.names
        column = next((name for name in COLUMNS if name in names), None)
        if column is None:
            raise UserError(f"has columns {', '.join(names)}, expected one of {', '.join(COLUMNS)}")
        for batch in table.iter_batches(batch_size=256, columns=[column]):
            for cell in batch.column(0):
                yield item(event, f"{file}:{number}", _cell, cell, event, fit)
                number += 1
    except (pa.ArrowException, OSError) as error:
        reached = f"is damaged after {number} rows" if number else "cannot be read"
        yield Item(f"{file}:{number}" if number else str(file), error=f"{reached}: {reason(error)[:200]}")


def parquet_size(file: str | Path, event: Event) -> int:
    del event  # a row is a value, or an error
    import pyarrow.parquet as pq

    return pq.read_metadata(file).num_rows


def _example(record: bytes, event: Event, fit: Fit | None) -> np.ndarray:
    import tensorflow as tf

    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # protobuf's two implementations have different ones
        raise UserError(f"is no tf.train.Example: {reason(error)}") from None
    name = next((name for name in COLUMNS if name in features), None)
    if name is None:
        raise UserError(f"has features {', '.join(sorted(features)) or 'none'}, expected one of {', '.join(COLUMNS)}")
    feature = features[name]
    if len(feature.bytes_list.value) == 1:
        return _bytes(feature.bytes_list.value[0], event, fit)
    return _list(list(feature.int64_list.value) or list(feature.float_list.value), event)


def _cell(cell: pa.Scalar, event: Event, fit: Fit | None) -> np.ndarray:
    value = cell.as_py()
    if value is None:
        raise UserError("is empty, expected a value")
    if isinstance(value, dict) and "bytes" in value:  # as the data sets of Hugging Face have pictures
        value = value["bytes"]
    if isinstance(value, bytes):
        return _bytes(value, event, fit)
    if not isinstance(value, list):
        raise UserError(f"has a value of type {type(value).__name__}, expected bytes or a list of numbers")
    return _list(value, event)


def _bytes(data: bytes, event: Event, fit: Fit | None) -> np.ndarray:
    """A picture as in a file, or pixels one after the other if there are exactly as many bytes."""
    if event.is_image and len(data) == int(np.prod(event.shape)) and not pictures.is_picture(data):
        return np.frombuffer(data, np.uint8).reshape(event.shape)
    return pictures.read(io.BytesIO(data), event, fit)


def _list(numbers: list, event: Event) -> np.ndarray:
    try:
        array = np.array(numbers)
    except ValueError:
        raise UserError("is ragged, expected rows of one length") from None
    if array.dtype.kind not in "iuf":
        raise UserError(f"has values of type {array.dtype}, expected numbers")
    if event.is_image and array.ndim == 1:
        if array.size != int(np.prod(event.shape)):
            raise UserError(f"has {array.size} values, expected {describe(event.shape)}")
        return array.reshape(event.shape)
    return array
