"""Pictures prepared once: brought to size and kept in the user's cache, where any of them is one short read away.

A prepared set is a folder of `pixels` (all images, row by row, one after the other), `index.npy` (where
each begins, its height and width), `items.jsonl` (a line a source item: its name with height and width, or
with the reason why it was skipped) and `manifest.json`. It appears whole: until then it is a folder of
another name, whose `items.jsonl` says how far it has come, so that an interrupted preparation goes on.
"""

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from nvp_tf.data.prepared import INDEX, ITEMS, MANIFEST, PIXELS, Prepared
from nvp_tf.errors import UserError
from nvp_tf.files import PARTIAL, cache_folder
from nvp_tf.pictures.files import PassedOver
from nvp_tf.runtime import cores

_FORMAT = 1  # Part of every key: a change here, or of what a transformation does, prepares anew.
_CHUNK = 32  # Items between two lines of the journal: what an interruption may cost.
_SHOWN = 3  # Skipped items that are named on stderr.


@dataclass(frozen=True)
class Source:
    """Images to prepare, in an order that is the same each time.

    name: what messages and the cache's folder call it.
    identity: what tells it from any other source, and from the same one transformed otherwise.
    size: how many items there are.
    channels: of each image.
    items: `items(start)` yields (name, item) from item number `start` on.
    image: `image(item)` is uint8 [height, width, channels]; a UserError skips the item. Called in threads.
    passed: what was found beside the items, to be told of; None for nothing.
    """

    name: str
    identity: list[str]
    size: int
    channels: int
    items: Callable[[int], Iterator[tuple[str, Any]]]
    image: Callable[[Any], np.ndarray]
    passed: PassedOver | None = None


def prepare(source: Source) -> Prepared:
    """The source's images from the cache; the first time they are prepared, with a progress bar on stderr.

    Raises:
      UserError: a cache that cannot be written, is too small or is damaged, or an unreadable source.
      KeyboardInterrupt: after Ctrl-C; the next call goes on from there.
    """
    key = hashlib.sha256(json.dumps([_FORMAT, source.identity, source.channels]).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{source.name}-{key}"
    if not folder.is_dir():
        partial = folder.with_name(PARTIAL + folder.name)
        with _locked(partial, source.name):
            if not folder.is_dir():
                try:
                    _fill(partial, source)
                except KeyboardInterrupt:
                    raise KeyboardInterrupt(f"{source.name} is prepared in part; the next call goes on") from None
                os.replace(partial, folder)
    return Prepared(folder)


@contextlib.contextmanager
def _locked(partial: Path, name: str) -> Iterator[None]:
    """Waits for another process that prepares the same set: then it is there, or can be gone on with."""
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{partial} cannot be made: {error.strerror}: set XDG_CACHE_HOME to another folder") from None
    with open(partial / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{name} is being prepared by another process: waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fill(partial: Path, source: Source) -> None:
    """Prepares what the journal in `partial` does not have yet, and then completes the set."""
    lines = _resume(partial, source.channels)
    with open(partial / PIXELS, "ab") as pixels, open(partial / ITEMS, "a") as journal:
        bar = tqdm(
            desc=f"preparing {source.name}",
            total=source.size,
            initial=len(lines),
            unit="image",
            mininterval=0.2 if sys.stderr.isatty() else 30,
        )
        items = iter(source.items(len(lines)))
        with bar, ThreadPoolExecutor(cores()) as pool:
            while chunk := list(itertools.islice(items, _CHUNK)):
                done = []
                for (name, _), result in zip(chunk, pool.map(_attempt(source.image), chunk), strict=True):
                    if isinstance(result, str):
                        done.append([name, result])
                    else:
                        pixels.write(result.tobytes())
                        done.append([name, *result.shape[:2]])
                pixels.flush()  # Before the journal: what it names is there.
                journal.write("".join(json.dumps(line) + "\n" for line in done))
                journal.flush()
                if bar.n == bar.initial:
                    _check_space(partial, source, lines + done)
                lines += done
                bar.update(len(done))
        os.fsync(pixels.fileno())
    _complete(partial, source, lines)
    if source.passed:
        print(f"{source.name}: {source.passed}", file=sys.stderr)


def _attempt(image: Callable[[Any], np.ndarray]) -> Callable[[tuple[str, Any]], np.ndarray | str]:
    """A function of (name, item) to its image, or to the reason why it is skipped."""

    def attempt(item: tuple[str, Any]) -> np.ndarray | str:
        try:
            return image(item[1])
        except UserError as error:
            return str(error)

    return attempt


def _resume(partial: Path, channels: int) -> list[list]:
    """The journal's whole lines, [name, height, width] or [name, reason], with both files cut to them."""
    journal, pixels = partial / ITEMS, partial / PIXELS
    journal.touch()
    pixels.touch()
    text = journal.read_bytes()
    text = text[: text.rfind(b"\n") + 1]
    lines = [json.loads(line) for line in text.splitlines()]
    end = _bytes(lines, channels)
    if pixels.stat().st_size < end:  # The machine went down, not the process.
        text, lines, end = b"", [], 0
    os.truncate(journal, len(text))
    os.truncate(pixels, end)
    return lines


def _bytes(lines: list[list], channels: int) -> int:
    return sum(line[1] * line[2] * channels for line in lines if len(line) == 3)


def _check_space(partial: Path, source: Source, lines: list[list]) -> None:
    """Raises UserError unless there is room for all, judged by the items so far."""
    needed = _bytes(lines, source.channels) / len(lines) * (source.size - len(lines))
    free = shutil.disk_usage(partial).free
    if needed > free:
        raise UserError(
            f"{source.name} needs about {needed / 1e9:.1f} GB more in {partial.parent}, which has "
            f"{free / 1e9:.1f} GB free: make room, or set XDG_CACHE_HOME to another folder"
        )


def _complete(partial: Path, source: Source, lines: list[list]) -> None:
    sizes = np.array([line[1:] for line in lines if len(line) == 3], np.int64).reshape(-1, 2)
    ends = np.cumsum(sizes.prod(axis=1) * source.channels)
    np.save(partial / INDEX, np.column_stack([np.concatenate([[0], ends[:-1]])[: len(ends)], sizes]))
    skipped = [line for line in lines if len(line) == 2]
    manifest = {"channels": source.channels, "images": len(sizes), "skipped": len(skipped)}
    (partial / MANIFEST).write_text(json.dumps(manifest) + "\n")
    if skipped:
        names = "; ".join(f"{name}: {reason}" for name, reason in skipped[:_SHOWN])
        more = f"; and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
        print(
            f"{source.name}: skipped {len(skipped)} of {len(lines)} ({names}{more}); "
            f"all are named in {cache_folder() / partial.name.removeprefix(PARTIAL) / ITEMS}",
            file=sys.stderr,
        )
