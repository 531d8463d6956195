"""What a section of a config is: a frozen dataclass that checks itself, and its JSON both ways."""

import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from nvp_tf.errors import UserError

Number = TypeVar("Number", int, float)


def number(default: Number, low: float | None = None, high: float | None = None) -> Number:
    """A number in [low, high]; None leaves an end open, but not to infinity."""
    return field(default=default, metadata={"low": low, "high": high})


def choice(default: str, *options: str) -> str:
    """One of `options`."""
    return field(default=default, metadata={"options": options})


@dataclass(frozen=True)
class Section:
    """A part of a config: checks its own ranges when made, and again when changed.

    complete: whether JSON must give every key, or may leave those that have defaults to them.
    kind: what tells it from the other sections that may stand in its place; only such sections have it.
    """

    complete: ClassVar[bool] = True
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            value, rule = getattr(self, f.name), f.metadata
            if "options" in rule and value not in rule["options"]:
                raise UserError(f"{f.name} is {value!r}, expected one of {', '.join(rule['options'])}")
            low, high = rule.get("low"), rule.get("high")
            # `not >=` rather than `<`, so that NaN is refused too.
            if (low is not None and not value >= low) or (high is not None and not value <= high):
                ends = f"{'-inf' if low is None else low} to {'inf' if high is None else high}"
                raise UserError(f"{f.name} is {value}, expected {ends}")
            if isinstance(value, float) and math.isinf(value) and high != math.inf:
                raise UserError(f"{f.name} is {value}, expected a finite number")


def encode(value: object) -> Any:
    """A section as what JSON can hold; its class' `kind`, where it has one, is the first key."""
    if isinstance(value, Section):
        kind = {"kind": value.kind} if hasattr(value, "kind") else {}
        return kind | {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value


def flatten(value: object, prefix: str = "") -> dict[str, Any]:
    """Encoded sections as one level, {"model.flow.kind": ...}."""
    if not isinstance(value, dict):
        return {prefix: value}
    return {k: v for name, part in value.items() for k, v in flatten(part, f"{prefix}.{name}".strip(".")).items()}


def decode(expected: Any, value: object, where: str) -> Any:
    """`value`, parsed from JSON, as the type `expected`, a class or a union; `where` names it in errors."""
    if isinstance(expected, types.UnionType):
        return _decode_union(typing.get_args(expected), value, where)
    if isinstance(expected, type) and issubclass(expected, Section):
        return _decode_section(expected, value, where)
    if typing.get_origin(expected) is tuple:
        if isinstance(value, list | tuple) and all(type(v) is int for v in value):
            return tuple(value)
        raise UserError(f"{where} is {value!r}, expected a list of integers")
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        raise UserError(f"{where} is {value!r}, expected {expected.__name__}")
    return value


def _decode_union(options: tuple[Any, ...], value: object, where: str) -> Any:
    if type(None) in options:
        rest = [o for o in options if o is not type(None)]
        return None if value is None else decode(rest[0], value, where)
    kinds = {option.kind: option for option in options}
    if not isinstance(value, dict) or value.get("kind") not in kinds:
        got = value.get("kind") if isinstance(value, dict) else value
        raise UserError(f"{where}.kind is {got!r}, expected one of {', '.join(kinds)}")
    return _decode_section(kinds[value["kind"]], {k: v for k, v in value.items() if k != "kind"}, where)


def _decode_section(cls: type[Section], value: object, where: str) -> Section:
    if not isinstance(value, dict):
        raise UserError(f"{where} is {value!r}, expected an object with keys")
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]
    needed = [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING]
    for key in value:
        if key not in names:
            raise UserError(f"{where} has the unknown key {key!r}, expected {', '.join(names)}")
    for name in names:
        if name not in value and (cls.complete or name in needed):
            raise UserError(f"{where} lacks the key {name!r}")
    parts = {name: decode(hints[name], value[name], f"{where}.{name}") for name in names if name in value}
    try:
        return cls(**parts)
    except UserError as error:
        message = str(error)
        raise UserError(message if message.startswith(where) else f"{where}.{message}") from None
