"""Files that are written whole or not at all."""

import contextlib
import os
from pathlib import Path

PARTIAL = "partial-"  # begins the name of what is being written; a killed process may leave one


@contextlib.contextmanager
def written_whole(file, room=0):
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


def write_text(file, text: str):
    """A text file in UTF-8, written whole."""
    with written_whole(file) as partial:
        partial.write_text(text, encoding="utf-8")


def _to_disk(path):
    """Waits until a file or folder is: a rename that outlives a power cut must not be of a file that did not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
