"""Files of records as Items: TFRecord files of tf.train.Example, and Parquet."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from nvp_tf import cli
from nvp_tf.errors import UserError, reason
from nvp_tf.event import Event, describe
from nvp_tf.pictures.decoding import Fit
from nvp_tf.scoring import contents, pictures
from nvp_tf.scoring.items import Item, item

if TYPE_CHECKING:
    import pyarrow as pa

# Where a value is looked for if nothing says where it is.
_IMAGES = (
    "image",
    "images",
    "image/encoded",
    "image_raw",
    "image_bytes",
    "img",
    "picture",
    "pixels",
    "jpg",
    "png",
    "x",
)
_VECTORS = ("x", "vector", "vectors", "features", "embedding")
_SHOWN = 20  # names in a message


def tfrecord(file: str | Path, event: Event, fit: Fit | None, feature: str | None = None) -> Iterator[Item]:
    """Yields the Examples' values: a feature with an encoded picture, raw bytes, integers, or a vector's floats.

    feature: its name; None for the one that has a common name.
    """
    cli.quiet_tensorflow()
    import tensorflow as tf

    compression = contents.compression(file)
    if compression is None:
        if os.path.getsize(file):
            yield _damaged(file, 0, "it begins as no TFRecord file does, compressed or not")
        return
    number, records, size = 0, iter(tf.data.TFRecordDataset(str(file), compression)), 0
    while True:
        try:
            record = next(records, None)
        except tf.errors.OpError:
            yield _damaged(file, number, "the next one is cut or corrupt")
            return
        if record is None:
            # TensorFlow takes a file that is cut within the twelve bytes before a record for a whole one.
            if not compression and size != os.path.getsize(file):
                yield _damaged(file, number, "it is truncated")
            return
        record = record.numpy()
        yield item(event, f"{file}:{number}", _example, record, event, fit, feature)
        number += 1
        size += 16 + len(record)


def _damaged(file: str | Path, number: int, why: str) -> Item:
    reached = f" after {number} records" if number else ""
    return Item(f"{file}:{number}" if number else str(file), error=f"is damaged{reached}: {why}")


def parquet(file: str | Path, event: Event, fit: Fit | None, feature: str | None = None) -> Iterator[Item]:
    """Yields a column's values: an encoded picture, raw bytes or a list of integers; lists for vectors.

    feature: the column's name; None for the one that has a common name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        table = pq.ParquetFile(file)
        column = _chosen(table.schema_arrow.names, event, feature, "columns")
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


def _chosen(names: Iterable[str], event: Event, feature: str | None, kind: str) -> str:
    """The name of the feature or column that has the value; raises UserError unless it is clear which."""
    names = list(names)
    if feature is not None and feature in names:
        return feature
    there = f"has {kind} {', '.join(names[:_SHOWN])}{', ...' * (len(names) > _SHOWN)}" if names else f"has no {kind}"
    if feature is not None:
        raise UserError(f"{there}, expected {feature}")
    common = _IMAGES if event.is_image else _VECTORS
    found = [name for name in names if name.lower() in common]
    if not found:
        raise UserError(f"{there}, expected one of {', '.join(common)}, or another that --feature names")
    if len(found) > 1:
        raise UserError(f"{there}, expected --feature to say which of {', '.join(found)}")
    return found[0]


def _example(record: bytes, event: Event, fit: Fit | None, feature: str | None) -> np.ndarray:
    import tensorflow as tf

    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception:  # protobuf's two implementations have different ones
        raise UserError("is no tf.train.Example") from None
    value = features[_chosen(sorted(features), event, feature, "features")]
    if len(value.bytes_list.value) == 1:
        return _bytes(value.bytes_list.value[0], event, fit)
    return _list(list(value.int64_list.value) or list(value.float_list.value), event)


def _cell(cell: pa.Scalar, event: Event, fit: Fit | None) -> np.ndarray:
    value = cell.as_py()
    if isinstance(value, dict) and "bytes" in value:  # as the data sets of Hugging Face have pictures
        value = value["bytes"]
    if value is None:
        raise UserError("is empty, expected a value")
    if isinstance(value, bytes):
        return _bytes(value, event, fit)
    if not isinstance(value, list):
        raise UserError(f"has a value of type {type(value).__name__}, expected bytes or a list of numbers")
    return _list(value, event)


def _bytes(data: bytes, event: Event, fit: Fit | None) -> np.ndarray:
    """A picture as in a file, or pixels one after the other if there are exactly as many bytes."""
    if not event.is_image:
        raise UserError(f"has bytes, expected {event.dimensions} numbers")
    if len(data) == event.dimensions and not pictures.is_picture(data):
        return np.frombuffer(data, np.uint8).reshape(event.shape)
    try:
        return pictures.read(io.BytesIO(data), event, fit)
    except UserError:
        if _identified(data):
            raise
    raise UserError(f"has {len(data)} bytes that are no picture, expected one, or the {event.dimensions} of {event}")


def _identified(data: bytes) -> bool:
    """Whether Pillow takes bytes for a picture, be it a damaged one."""
    try:
        Image.open(io.BytesIO(data)).close()
    except UnidentifiedImageError:
        return False
    except Exception:  # of damage Pillow's decoders tell by a dozen types
        pass
    return True


def _list(numbers: list, event: Event) -> np.ndarray:
    try:
        array = np.array(numbers)
    except ValueError:
        raise UserError("is ragged, expected rows of one length") from None
    if array.dtype.kind not in "iuf":
        raise UserError(f"has values of type {array.dtype}, expected numbers")
    if event.is_image and array.ndim == 1:
        if array.size != event.dimensions:
            raise UserError(f"has {array.size} values, expected {describe(event.shape)}")
        return array.reshape(event.shape)
    return array
