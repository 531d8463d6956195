"""Results that are kept one by one as they are found, so that an interrupted report goes on where it was."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from nvp_tf.errors import UserError
from nvp_tf.files import json_text, read_json, write_text

Json: TypeAlias = Any  # what JSON holds
FILE = "measures.json"


class Kept:
    """A JSON file of results, written whole after each.

    Args:
      file: its path; what is there is taken up if it is made of the same.
      made_of: what the results depend on; other values begin anew.
    """

    def __init__(self, file: Path, made_of: dict) -> None:
        self.file = Path(file)
        self.values: dict[str, Json] = {}
        before = _read(self.file)
        self.taken_up = before.get("made_of") == made_of
        if self.taken_up:
            self.values = before["results"]
        self.made_of = made_of

    def get(self, name: str, compute: Callable[[], Json]) -> Json:
        """The result of that name, computed and written if it is not there."""
        if name not in self.values:
            self.values[name] = compute()
            self.write()
        return self.values[name]

    def write(self) -> None:
        write_text(self.file, json_text({"made_of": self.made_of, "results": self.values}, indent=1) + "\n")


def examples_kept(folder: Path) -> int | None:
    """How many examples the report that was begun in a folder is of; None without one."""
    return _read(folder / FILE).get("results", {}).get("about", {}).get("examples")


def _read(file: Path) -> dict:
    if not file.is_file():
        return {}
    try:
        return read_json(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is corrupt: {error}; remove it to begin anew") from None
