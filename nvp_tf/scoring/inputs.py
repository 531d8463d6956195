"""Files, folders and patterns as one stream of Items. What is wrong with one is told in its place; the rest go on."""

from __future__ import annotations

import glob
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from nvp_tf.errors import UserError, reason
from nvp_tf.event import Event
from nvp_tf.pictures.decoding import Fit
from nvp_tf.pictures.files import Found, find_files, is_picture_name, no_file
from nvp_tf.runtime import cores
from nvp_tf.scoring import arrays, contents, pictures, records, tables
from nvp_tf.scoring.items import Item, item

if TYPE_CHECKING:  # a DataSet is of TensorFlow
    from nvp_tf.data.split import DataSet

PICTURE = "picture"
KINDS = (".npy", ".npz", ".tfrecord", ".parquet", ".csv", ".tsv")  # beside it
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_AHEAD = 64  # pictures decoded before they are asked for


def find(words: Iterable[str]) -> Found:
    """The files that are meant: files, folders (all below them of a known kind), patterns such as 'a/**/*.png'.

    Of a folder what is not read is passed over with a reason, as `find_files` has them. A pattern means files, whatever
    they are; folders that it matches are not entered.

    Raises:
      UserError: a word that leads to nothing, or a folder without anything that can be scored.
    """
    found = Found()
    for word in words:
        if os.path.isdir(word):
            below = find_files(word, lambda file: kind(file) is not None)
            if not below.files:
                beside = f" ({below.passed})" if below.passed else ""
                raise UserError(f"{word} has nothing that can be scored{beside}, expected pictures, arrays or records")
            found.files += [os.path.join(word, file) for file in below.files]
            found.passed.merge(below.passed.below(word))
            continue
        paths = [word] if os.path.lexists(word) else sorted(glob.glob(word, recursive=True))
        paths = [path for path in paths if not os.path.isdir(path)]
        if not paths:
            raise UserError(f"{word} is not there, expected a file, a folder or a pattern of files")
        for path in paths:
            if why := no_file(path):
                found.passed.add(path, why)
            else:
                found.files.append(path)
    return found


def kind(file: str | Path) -> str | None:
    """How a file is read, `PICTURE` or one of `KINDS`: of its name, such as .tfrecord of x.tfrecord-00001-of-00010, or
    else of its content; None where neither tells."""
    name = _SHARD.sub("", os.path.basename(file).lower()).removesuffix(".gz")
    if ".tfrecord" in name:
        return ".tfrecord"
    named = next((suffix for suffix in KINDS if name.endswith(suffix)), PICTURE if is_picture_name(name) else None)
    return named or contents.suffix(file)


def is_shard(file: str | Path) -> bool:
    """Whether a file is called one of several, such as train-00001-of-00010."""
    return _SHARD.search(os.fspath(file)) is not None


def read(file: str | Path, event: Event, fit: Fit | None = None, feature: str | None = None) -> Iterator[Item]:
    """Yields the Items of one file, in order.

    Args:
      event: what the model takes.
      fit: how pictures are brought to its size and depth (`pictures.read`).
      feature: of records, or the column of Parquet, that has the value; None for the one of a common name.
    """
    try:
        match kind(file):
            case ".npy":
                yield from arrays.npy(file, event)
            case ".npz":
                yield from arrays.npz(file, event)
            case ".csv" | ".tsv":
                yield from tables.rows(file, event)
            case ".tfrecord":
                yield from records.tfrecord(file, event, fit, feature)
            case ".parquet" if not event.is_image and feature is None:
                yield from tables.rows(file, event)
            case ".parquet":
                yield from records.parquet(file, event, fit, feature)
            case None:
                raise UserError(f"is of no known kind by name or content, expected a picture or {', '.join(KINDS)}")
            case _:
                yield item(event, str(file), pictures.read, file, event, fit)
    except (UserError, OSError) as error:
        yield Item(str(file), error=reason(error).removeprefix(f"{file} "))


def count(files: Iterable[str | Path], event: Event) -> int | None:
    """How many Items there will be, as headers tell; None where only reading would."""
    sizes = {".npy": arrays.npy_size, ".npz": arrays.npz_size, ".parquet": records.parquet_size}
    total = 0
    for file in files:
        suffix = kind(file)
        if suffix in (".tfrecord", ".csv", ".tsv"):
            return None
        size = sizes.get(suffix) if suffix else None
        try:
            total += size(file, event) if size else 1
        except Exception:  # `read` says what is wrong
            total += 1
    return total


def stream(
    files: Iterable[str | Path], event: Event, fit: Fit | None = None, feature: str | None = None
) -> Iterator[Item]:
    """Yields the Items of all files, in order, as `read` does; pictures are decoded by several threads."""

    def whole(file: str | Path) -> list[Item]:
        return list(read(file, event, fit, feature))

    with ThreadPoolExecutor(max_workers=cores()) as pool:
        ahead: deque[Future[list[Item]]] = deque()
        try:
            for file in files:
                if kind(file) == PICTURE:
                    ahead.append(pool.submit(whole, file))
                    if len(ahead) > _AHEAD:
                        yield from ahead.popleft().result()
                else:
                    while ahead:
                        yield from ahead.popleft().result()
                    yield from read(file, event, fit, feature)
            while ahead:
                yield from ahead.popleft().result()
        finally:
            for waiting in ahead:
                waiting.cancel()


def split(dataset: DataSet, name: str) -> Iterator[Item]:
    """Yields the Items of a data set's split; their names are DATASET/SPLIT:INDEX."""
    from nvp_tf.data.pipeline import evaluation_batches

    number = 0
    for batch in evaluation_batches(getattr(dataset, name), 256):
        for value in batch.numpy():
            yield Item(f"{dataset.name}/{name}:{number}", value)
            number += 1
