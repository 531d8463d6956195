"""Which files below a folder are read, and an account of those that are not."""

import functools
import os
import stat
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from PIL import Image, ImageFile

from nvp_tf.errors import UserError

HIDDEN, OTHER = "hidden", "of another kind"
_KEPT = 100  # names of what was passed over; of the rest there is a count
_SHOWN = 3
# Pillow knows these and cannot show them: the first would start Ghostscript, the others need what it has not.
_NOT_DECODED = ("EPS", "MPEG", "WMF")


class PassedOver:
    """What was given and is not read: how many of each reason, and the first names."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.names: dict[str, str] = {}

    def __len__(self) -> int:
        return self.counts.total()

    def add(self, name: str, why: str) -> None:
        self.counts[why] += 1
        if len(self.names) < _KEPT:
            self.names[name.encode(errors="surrogateescape").decode(errors="replace")] = why

    def merge(self, other: Self) -> None:
        self.counts.update(other.counts)
        rest = [name for name in other.names if name not in self.names]
        self.names |= {name: other.names[name] for name in rest[: _KEPT - len(self.names)]}

    def below(self, folder: str) -> Self:
        """The same with names as seen from outside of `folder`."""
        other = type(self)()
        other.counts, other.names = self.counts, {os.path.join(folder, name): why for name, why in self.names.items()}
        return other

    def figures(self) -> dict[str, Any]:
        """For a line of JSON: the count, and {name: why} of at most 100; nothing where nothing was passed over."""
        return {"passed_over": len(self), "passed_over_files": self.names} if self.counts else {}

    def __str__(self) -> str:
        """In words, names of each kind with it: 3 passed over: 2 of another kind (a.txt, b.heic), 1 hidden (.c)."""
        parts = []
        for why, count in self.counts.items():
            names = [name for name, reason in self.names.items() if reason == why]
            shown = ", ".join(names[:_SHOWN]) + (", ..." if count > _SHOWN else "")
            parts.append(f"{count} {why}" + (f" ({shown})" if names else ""))
        return f"{len(self)} passed over: {', '.join(parts)}"


@dataclass
class Found:
    """Files, sorted, and what is beside them."""

    files: list[str] = field(default_factory=list)
    passed: PassedOver = field(default_factory=PassedOver)


@functools.cache
def suffixes() -> tuple[str, ...]:
    """Of the files that Pillow can decode: .apng, .avif, .bmp, ..., .xpm."""
    Image.init()

    def decoded(form: str) -> bool:
        opener = Image.OPEN[form][0]
        return form not in _NOT_DECODED and not (
            isinstance(opener, type) and issubclass(opener, ImageFile.StubImageFile)
        )

    known = Image.registered_extensions()
    return tuple(sorted(suffix for suffix, form in known.items() if form in Image.OPEN and decoded(form)))


def is_picture_name(file: str | Path) -> bool:
    return os.path.splitext(file)[1].lower() in suffixes()


def find_pictures(folder: str | Path) -> Found:
    """The picture files below a folder, relative to it, as `find_files` finds them."""
    return find_files(folder, is_picture_name)


def list_pictures(folder: str | Path) -> list[str]:
    """The picture files below a folder, relative to it, sorted.

    Raises:
      UserError: a folder that is missing or cannot be read.
    """
    return find_pictures(folder).files


def find_files(folder: str | Path, wanted: Callable[[str], bool]) -> Found:
    """The files below a folder that are wanted, relative to it, sorted; the others are passed over, with reasons.

    Links are followed, to folders too. A folder is entered once, by its own name rather than by a link's, and a link to
    a folder that it lies in is not followed. Hidden files and folders are passed over, a folder as one.

    Args:
      wanted: whether a path is of a file to be read.

    Raises:
      UserError: a folder that is missing or cannot be read.
    """
    root, found = os.fspath(folder), Found()
    folders, links, entered = deque([""]), deque[str](), set[tuple[int, int]]()
    while folders or links:
        linked = not folders
        below = folders.popleft() if folders else links.popleft()
        try:
            identity = os.stat(os.path.join(root, below))
            if linked and _is_above(os.path.join(root, below)):
                found.passed.add(below, "a link to a folder that it lies in")
                continue
            if (identity.st_dev, identity.st_ino) in entered:
                found.passed.add(below, "a link to a folder that is read already")
                continue
            entered.add((identity.st_dev, identity.st_ino))
            entries = sorted(os.scandir(os.path.join(root, below)), key=lambda entry: entry.name)
        except OSError as error:
            if not below:
                raise UserError(f"{root} cannot be read: {error.strerror}, expected a folder") from None
            found.passed.add(below, f"cannot be read: {error.strerror}")
            continue
        for entry in entries:
            path = os.path.join(below, entry.name)
            if entry.name.startswith("."):
                found.passed.add(path, HIDDEN)
            elif _is_folder(entry):
                (links if entry.is_symlink() else folders).append(path)
            elif why := _why_not(entry):
                found.passed.add(path, why)
            elif wanted(os.path.join(root, path)):
                found.files.append(path)
            else:
                found.passed.add(path, OTHER)
    found.files.sort()
    return found


def no_file(path: str) -> str | None:
    """Why a path that is there cannot be read as a file; None where it can be tried."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return "a broken link" if os.path.islink(path) else f"cannot be read: {error.strerror}"
    return None if stat.S_ISREG(mode) else "no file"  # a pipe that is opened waits for ever


def _why_not(entry: os.DirEntry) -> str | None:
    return None if entry.is_file(follow_symlinks=False) else no_file(entry.path)


def _is_folder(entry: os.DirEntry) -> bool:
    """Also for a link that leads to itself, of which `is_dir` raises an error."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _is_above(link: str) -> bool:
    """Whether a link to a folder leads to one that the link itself lies in."""
    target = os.path.realpath(link)
    return os.path.join(os.path.realpath(os.path.dirname(link)), "").startswith(os.path.join(target, ""))
