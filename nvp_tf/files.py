"""Files that are written whole or not at all."""

import contextlib
import os
from pathlib import Path

PARTIAL = "partial-"  # begins the name of what is being written; a killed process may leave one


@contextlib.contextmanager
def written_whole(file):
    """A path beside `file` to write to; renamed to `file` at the end, removed if that is not reached.

    The folder is made if need be. The suffix is `file`'s: writers go by it.
    """
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{PARTIAL}{os.getpid()}-{file.name}")
    try:
        yield partial
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def write_text(file, text: str):
    """A text file in UTF-8, written whole."""
    with written_whole(file) as partial:
        partial.write_text(text, encoding="utf-8")
