"""Files that are written whole or not at all, where they are kept for later, and JSON that every language reads."""

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PARTIAL = "partial-"  # begins the name of what is being written; a killed process may leave one


@contextlib.contextmanager
def written_whole(file: str | Path, room: int = 0) -> Iterator[Path]:
    """A path beside `file` to write to; at the end it is on the disk and is renamed to `file`, else it is removed.

    The folder is made if need be. The suffix is `file`'s: writers go by it.

    Args:
      room: bytes that the disk must have before writing begins; for a writer that does not end well without.

    Raises:
      OSError: there is no room.
    """
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{PARTIAL}{os.getpid()}-{file.name}")
    try:
        if room:
            with open(partial, "wb") as reserved:
                os.posix_fallocate(reserved.fileno(), 0, room)
        yield partial
        _to_disk(partial)
        os.replace(partial, file)
        with contextlib.suppress(OSError):  # Not every file system does this for folders.
            _to_disk(file.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_text(file: str | Path, text: str) -> None:
    """A text file in UTF-8, written whole."""
    with written_whole(file) as partial:
        partial.write_text(text, encoding="utf-8")


def put_in_place(partial: Path, folder: Path) -> None:
    """Gives a folder that was written beside its name, once all of it is on the disk."""
    for path in [*partial.rglob("*"), partial]:
        _to_disk(path)
    partial.rename(folder)
    _to_disk(folder.parent)


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/nvp_tf, or ~/.cache/nvp_tf."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nvp_tf"


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON, in which numbers that are none are the strings "NaN", "Infinity" and "-Infinity", as in protobuf's JSON:
    as bare words, which is how Python writes them, other languages refuse them."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def read_json(text: str) -> Any:
    """What `json_text` wrote."""
    return _numbers(json.loads(text))


_NAMES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _numbers(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    return _NAMES.get(value, value) if isinstance(value, str) else value


def _to_disk(path: Path) -> None:
    """Waits until a file or folder is: a rename that outlives a power cut must not be of a file that did not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
