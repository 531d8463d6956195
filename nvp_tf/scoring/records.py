"""Files of records as Items: TFRecord files of tf.train.Example, and Parquet."""

import io
import os

import numpy as np

from nvp_tf.errors import UserError, reason
from nvp_tf.event import describe
from nvp_tf.scoring import pictures
from nvp_tf.scoring.items import Item, item

COLUMNS = ("image", "images", "x")  # where a value is looked for


def tfrecord(file, event, fit):
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
        yield item(event, f"{file}:{number}", lambda record=record: _example(record, event, fit))
        number += 1
        size += 16 + len(record)


def _damaged(file, number, why):
    reached = f" after {number} records" if number else ""
    return Item(f"{file}:{number}" if number else str(file), error=f"is damaged{reached}: {why}")


def parquet(file, event, fit):
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
                yield item(event, f"{file}:{number}", lambda cell=cell: _cell(cell.as_py(), event, fit))
                number += 1
    except (pa.ArrowException, OSError) as error:
        reached = f"is damaged after {number} rows" if number else "cannot be read"
        yield Item(f"{file}:{number}" if number else str(file), error=f"{reached}: {reason(error)[:200]}")


def parquet_size(file, event):
    import pyarrow.parquet as pq

    return pq.read_metadata(file).num_rows


def _example(record, event, fit):
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


def _cell(cell, event, fit):
    if cell is None:
        raise UserError("is empty, expected a value")
    if isinstance(cell, dict) and "bytes" in cell:  # as the data sets of Hugging Face have pictures
        cell = cell["bytes"]
    if isinstance(cell, bytes):
        return _bytes(cell, event, fit)
    if not isinstance(cell, list):
        raise UserError(f"has a value of type {type(cell).__name__}, expected bytes or a list of numbers")
    return _list(cell, event)


def _bytes(data, event, fit):
    """A picture as in a file, or pixels one after the other if there are exactly as many bytes."""
    if event.is_image and len(data) == int(np.prod(event.shape)) and not pictures.is_picture(data):
        return np.frombuffer(data, np.uint8).reshape(event.shape)
    return pictures.read(io.BytesIO(data), event, fit)


def _list(numbers, event):
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
