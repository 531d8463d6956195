"""Files and models wherever Beam's file systems reach: gs://, s3://, hdfs://, and this machine's disk.

What is not on the disk is copied to it, so that inputs.py and TensorFlow read files and nothing else.
"""

import contextlib
import dataclasses
import os
import posixpath
import shutil
import tempfile
from collections.abc import Iterator

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.utils import retry

from nvp_tf.errors import UserError, reason
from nvp_tf.event import Event
from nvp_tf.pictures.decoding import Fit
from nvp_tf.pictures.files import HIDDEN, OTHER, Found
from nvp_tf.scoring import inputs
from nvp_tf.scoring.contract import newest_version, numbers
from nvp_tf.scoring.items import Item
from nvp_tf.scoring.saved_model import SavedModel


def is_local(path: str) -> bool:
    return FileSystems.get_scheme(path) is None


def find(word: str, limit: int | None = None) -> Found:
    """The files that are meant by a file, a folder or a pattern, and what is passed over; of a remote one no more than
    `limit` are looked at.

    On the disk as `inputs.find` has them. Elsewhere, where only names tell, a folder is a name without a known suffix
    or the ending of a shard, and in patterns * stops at a slash and ** does not.

    Raises:
      UserError: there is none.
    """
    if is_local(word):
        return inputs.find([word])
    found = Found()
    if _is_input(word) or any(sign in word for sign in "*?["):
        found.files = _matches(word, limit)
    else:
        folder = word.rstrip("/")
        for path in _matches(f"{folder}/**", limit):
            if any(part.startswith(".") for part in path.removeprefix(folder).split("/")):
                found.passed.add(path, HIDDEN)
            elif _is_input(path):
                found.files.append(path)
            else:
                found.passed.add(path, OTHER)
    if not (found.files or found.passed):
        raise UserError(f"{word} is not there, expected a file, a folder or a pattern of files")
    return found


def _is_input(path: str) -> bool:
    return inputs.is_shard(path) or inputs.kind(path) is not None


def read(path: str, event: Event, fit: Fit | None = None, feature: str | None = None) -> Iterator[Item]:
    """Yields the Items of one file as `inputs.read` does; a copy does not show in names and errors."""
    if is_local(path):
        yield from inputs.read(path, event, fit, feature)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, posixpath.basename(path))
        try:
            _fetch(path, copy)
        except Exception as error:  # each file system has its own
            yield Item(path, error=f"cannot be fetched: {reason(error)[:200]}")
            return
        for item in inputs.read(copy, event, fit, feature):
            name, why = path + item.name.removeprefix(copy), item.error.replace(copy, path)
            yield dataclasses.replace(item, name=name, error=why)


def newest(model: str) -> str:
    """The folder of its newest version, as `contract.newest_version`; settled once, so that all workers agree."""
    if is_local(model):
        return str(newest_version(model))
    if _matches(f"{model}/saved_model.pb"):
        return model
    folders = [posixpath.dirname(path) for path in _matches(f"{model}/*/saved_model.pb")]
    if not (versions := numbers(folders)):
        raise UserError(f"{model} has no saved_model.pb and no version that has one, expected an export")
    return next(folder for folder in folders if posixpath.basename(folder) == str(max(versions)))


def load(folder: str) -> SavedModel:
    if is_local(folder):
        return SavedModel(folder)
    with tempfile.TemporaryDirectory() as copy:
        for path in _matches(f"{folder}/**"):
            _fetch(path, os.path.join(copy, *path.removeprefix(folder).strip("/").split("/")))
        return SavedModel(copy)  # weights are in memory now


def check_new(folder: str) -> None:
    """Raises UserError if results of another run are there: shards of two runs in one folder look like one table."""
    with _refusing():
        for pattern in ("scores-*", "errors-*", "summary.json"):
            if found := _matches(FileSystems.join(folder, pattern), limit=1):
                raise UserError(f"{found[0]} is there, expected a folder without results")


def read_text(path: str) -> str:
    with FileSystems.open(path) as file:
        return file.read().decode()


def _matches(pattern: str, limit: int | None = None) -> list[str]:
    with _refusing():
        [result] = FileSystems.match([pattern], [limit])
        return [metadata.path for metadata in result.metadata_list]


@retry.with_exponential_backoff(num_retries=4, initial_delay_secs=2, retry_filter=lambda _: True)
def _fetch(path: str, copy: str) -> None:
    """The bytes as they are: without AUTO's decompression of .gz."""
    os.makedirs(os.path.dirname(copy), exist_ok=True)
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as source, open(copy, "wb") as target:
        shutil.copyfileobj(source, target)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # no such scheme, or one whose package is not installed
        if isinstance(error, UserError):
            raise
        raise UserError(reason(error)) from None
