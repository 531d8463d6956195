"""Which of several named arrays are trained on, which are held out, and which are labels: one table of names."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from nvp_tf.data.npz_rows import Header
from nvp_tf.errors import UserError
from nvp_tf.event import describe

_PARTS = {"train": ("train", "training"), "valid": ("valid", "val", "validation", "dev"), "test": ("test", "testing")}
_EXAMPLES = ("", "x", "image", "images", "img", "imgs", "data", "examples", "samples", "features", "inputs", "pixels")
_LABELS = ("y", "label", "labels", "target", "targets", "class", "classes")
_SHOWN = 20  # arrays in a message


class Role(NamedTuple):
    """What a name says of an array.

    part: "train", "valid" or "test"; "" where it does not say.
    labels: whether it has labels, not examples.
    """

    part: str
    labels: bool


def _table() -> dict[str, Role]:
    """{letters of a name: its role}: x_train, trainX and X-train are one."""
    words = [(word, part) for part, words in {"": ("",), **_PARTS}.items() for word in words]
    contents = [(content, False) for content in _EXAMPLES] + [(content, True) for content in _LABELS]
    pairs = [(word, content, Role(part, labels)) for word, part in words for content, labels in contents]
    return {name: role for word, content, role in pairs for name in (word + content, content + word) if name}


_ROLES = _table()


def role(name: str) -> Role | None:
    """What a name says; None where it says nothing."""
    return _ROLES.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def choose(
    headers: Mapping[str, Header], where: str, remedy: str, array: str | None = None, held_out: str | None = None
) -> dict[str, str]:
    """{"train": name}, and "valid" and "test" where there are such: of arrays [n, ...] of examples.

    Args:
      headers: of each array.
      where: what messages call them.
      remedy: how a person can say which are meant, for messages.
      array: the one to train on, whatever it is called; nothing else is looked for then.
      held_out: the one to test on, or VALID,TEST; otherwise they are found by their names.

    Raises:
      UserError: no array of such a name, or several that may be meant.
    """
    named = {"train": array} if array else {}
    if held_out:
        words = held_out.split(",")
        if len(words) > 2:
            raise UserError(f"held_out is {held_out!r}, expected the name of an array, or VALID,TEST")
        named |= dict(zip(("valid", "test")[-len(words) :], words, strict=True))
    if missing := [name for name in named.values() if name not in headers]:
        raise UserError(f"{where} has the arrays {_listed(headers)}, expected {', '.join(missing)}")
    if array:
        return named
    rest = {name: header for name, header in headers.items() if name not in named.values() and _has_rows(header)}
    found = _by_names(rest)
    if found is None:
        raise UserError(
            f"{where} has the arrays {_listed(headers)}, expected train, and valid or test, or one array of examples; "
            f"{remedy}"
        )
    return {"train": found["train"], **named} if named else found


def _by_names(headers: Mapping[str, Header]) -> dict[str, str] | None:
    """{part: name} of arrays that have rows; None where it is not clear."""
    roles = {name: role(name) for name in headers}
    examples = [name for name, says in roles.items() if not (says and says.labels)]
    parts: dict[str, list[str]] = {}
    for name in examples:
        if says := roles[name]:
            parts.setdefault(says.part, []).append(name)
    if "train" not in parts and "" in parts:
        parts["train"] = parts.pop("")
    if not parts:
        parts["train"] = examples
    if "train" not in parts or any(len(names) != 1 for names in parts.values()):
        return None
    found = {part: names[0] for part, names in parts.items()}
    like = headers[found["train"]]
    unknown = [name for name in examples if name not in found.values() and _alike(headers[name], like)]
    return None if unknown else found  # "tset" may be a test split


def _has_rows(header: Header) -> bool:
    """Whether its rows can be examples: images or vectors of numbers."""
    return 2 <= len(header.shape) <= 4 and header.dtype.kind in "biuf"


def _alike(one: Header, other: Header) -> bool:
    return (one.shape[1:], one.dtype.kind == "f") == (other.shape[1:], other.dtype.kind == "f")


def _listed(headers: Mapping[str, Header]) -> str:
    shown = [f"{name} ({header.dtype} {describe(header.shape)})" for name, header in headers.items()]
    return ", ".join(shown[:_SHOWN] + ["..."] * (len(shown) > _SHOWN)) or "none"
