"""What a model, a data set and a training run are: frozen, strict values with JSON both ways.

No TensorFlow is imported here, so that `--help` and a mistyped flag are answered at once.
"""

import dataclasses
import json
import os
import types
import typing
from dataclasses import dataclass, field
from typing import ClassVar

from nvp_tf.errors import UserError


def _number(default, low=None, high=None):
    """A number in [low, high]; None leaves an end open."""
    return field(default=default, metadata={"low": low, "high": high})


def _choice(default, *options):
    return field(default=default, metadata={"options": options})


class Section:
    """A part of a config: checks its own ranges when made, and again when changed."""

    def __post_init__(self):
        for f in dataclasses.fields(self):
            value, rule = getattr(self, f.name), f.metadata
            if "options" in rule and value not in rule["options"]:
                raise UserError(f"{f.name} is {value!r}, expected one of {', '.join(rule['options'])}")
            low, high = rule.get("low"), rule.get("high")
            # `not >=` rather than `<`, so that NaN is refused too.
            if (low is not None and not value >= low) or (high is not None and not value <= high):
                ends = f"{'-inf' if low is None else low} to {'inf' if high is None else high}"
                raise UserError(f"{f.name} is {value}, expected {ends}")


@dataclass(frozen=True)
class PixelsConfig(Section):
    """How integers become reals: dequantization, range and logit (thesis 5.3.1)."""

    levels: int = _number(256, 2, 256)
    range: str = _choice("unit", "unit", "symmetric")  # [0, 1] or [-1, 1]
    alpha: float = _number(0.05, 0.0, 0.49)  # 0: no logit

    def __post_init__(self):
        super().__post_init__()
        if self.alpha and self.range != "unit":
            raise UserError(f"range is {self.range!r}, expected unit with a logit (alpha is {self.alpha})")


@dataclass(frozen=True)
class WhiteningConfig(Section):
    """ZCA whitening of the flat vector, fitted to the training split before the first step (thesis table 5.1)."""

    share: float = _number(0.01, 1e-9)  # added to each eigenvalue of the covariance, times their mean


@dataclass(frozen=True)
class NICEConfig(Section):
    """NICE: additive couplings with MLPs on the flat vector, then a diagonal scaling (thesis 5.2)."""

    kind: ClassVar[str] = "nice"
    couplings: int = _number(4, 1)
    hidden_layers: int = _number(5, 1)
    hidden_units: int = _number(1000, 1)


@dataclass(frozen=True)
class VectorRealNVPConfig(Section):
    """Real NVP for plain vectors: affine couplings with MLPs on alternating parity masks (thesis 5.1)."""

    kind: ClassVar[str] = "vector_realnvp"
    couplings: int = _number(8, 1)
    hidden_layers: int = _number(2, 1)
    hidden_units: int = _number(64, 1)
    batch_norm: bool = False


@dataclass(frozen=True)
class RealNVPConfig(Section):
    """The multi-scale Real NVP for images (thesis 5.3).

    A scale holds `couplings` checkerboard couplings, then as many channel couplings; the last
    scale holds one checkerboard coupling more and no channel coupling. `filters` doubles with
    each scale and again for its channel couplings.

    checkerboard: "masked" is the thesis' way, the network sees the whole image with the changed
    pixels zeroed; "packed" moves each colour of the checkerboard into channels first, so that
    the convolutions run on half the values: another network for the same kind of coupling.
    """

    kind: ClassVar[str] = "realnvp"
    scales: int = _number(2, 1)
    couplings: int = _number(3, 1)
    filters: int = _number(32, 1)
    blocks: int = _number(4, 0)
    checkerboard: str = _choice("masked", "masked", "packed")
    batch_norm: bool = True
    momentum: float = _number(0.9, 0.0, 0.9999)  # of running statistics, the networks' too
    epsilon: float = _number(1e-4, 0.0)  # added to the flow's batch norm's variance
    network_dtype: str = _choice("float32", "float32", "bfloat16")  # of training; a run is loaded in float32


FlowConfig = NICEConfig | VectorRealNVPConfig | RealNVPConfig


@dataclass(frozen=True)
class ModelConfig(Section):
    """A density model: everything that decides its weights' shapes and its log-likelihood.

    event_shape: (height, width, channels) of an image, or (dimensions,) of a vector.
    pixels: how integers become reals; None for data that is real already.
    whitening: of flat vectors, so not for flow kind realnvp; None for none.
    """

    event_shape: tuple[int, ...]
    flow: FlowConfig
    pixels: PixelsConfig | None = None
    prior: str = _choice("normal", "normal", "logistic")
    whitening: WhiteningConfig | None = None

    def __post_init__(self):
        super().__post_init__()
        shape = self.event_shape
        if len(shape) not in (1, 3) or min(shape) < 1:
            raise UserError(f"event_shape is {shape}, expected (height, width, channels) or (dimensions,)")
        size = 1
        for side in shape:
            size *= side
        if size < 2:
            raise UserError(f"event_shape is {shape}, expected at least 2 dimensions: a coupling keeps one part")
        if isinstance(self.flow, VectorRealNVPConfig) and len(shape) != 1:
            raise UserError(f"event_shape is {shape}, expected (dimensions,) for flow kind vector_realnvp")
        if isinstance(self.flow, RealNVPConfig):
            if self.whitening:
                raise UserError(f"whitening is {self.whitening}, expected null for flow kind realnvp, on images")
            if len(shape) != 3:
                raise UserError(f"event_shape is {shape}, expected (height, width, channels) for flow kind realnvp")
            factor = 2 ** (self.flow.scales - 1)
            if shape[0] % factor or shape[1] % factor:
                raise UserError(
                    f"event_shape is {shape}, expected height and width divisible by {factor} "
                    f"for {self.flow.scales} scales"
                )
            if shape[0] * shape[1] == factor**2:
                raise UserError(
                    f"event_shape is {shape}, expected more than one pixel at the last of {self.flow.scales} scales"
                )

    def exact(self) -> "ModelConfig":
        """The same model with its networks in the flow's own dtype.

        In bfloat16 the two directions see inputs that differ in their last digit and are rounded far apart:
        up to one image in ten comes back from its latents with a pixel changed.
        """
        if not isinstance(self.flow, RealNVPConfig):
            return self
        return dataclasses.replace(self, flow=dataclasses.replace(self.flow, network_dtype="float32"))


@dataclass(frozen=True)
class DataConfig(Section):
    """A data set by name, where its files lie, and how training examples are augmented."""

    name: str
    data_dir: str | None = None
    flips: bool = False  # random horizontal flips of training images
    # Of `folder` alone: how a picture of any size becomes examples.
    size: int = _number(32, 2, 1024)  # examples are size x size
    resize: int = _number(0, 0, 4096)  # the smaller side is scaled to it before cropping; 0: to size
    crop: str = _choice("centre", "centre", "random")  # random: another place each time
    crops: int = _number(1, 1, 100_000)  # examples an image in an epoch, and in each held-out split
    grey: bool = False

    def __post_init__(self):
        super().__post_init__()
        if self.name != "folder":
            for f in dataclasses.fields(self)[3:]:
                if getattr(self, f.name) != f.default:
                    raise UserError(f"{f.name} is {getattr(self, f.name)!r}, expected none: only folder takes it")
        if 0 < self.resize < self.size:
            raise UserError(f"resize is {self.resize}, expected 0 or at least the size, {self.size}")
        if self.crops > 1 and self.crop != "random":
            raise UserError(f"crops is {self.crops}, expected 1 with crop 'centre', which is always the same")

    def at(self, directory: str | None) -> "DataConfig":
        """A copy whose files are in `directory`, wherever the process goes; with None, the same."""
        if not directory:
            return self
        return dataclasses.replace(self, data_dir=os.path.abspath(os.path.expanduser(directory)))


@dataclass(frozen=True)
class TrainConfig(Section):
    """One training run. Every random number comes from `seed`, the step and the example's index."""

    steps: int = _number(1000, 1)
    batch_size: int = _number(64, 1)
    learning_rate: float = _number(1e-3, 0.0)
    schedule: str = _choice("constant", "constant", "cosine")  # cosine: to 0 at the last step
    warmup_steps: int = _number(0, 0)
    clip_norm: float = _number(100.0, 0.0)  # global norm of the gradient of nats per example; 0: off
    l2: float = _number(0.0, 0.0)  # times the sum of squares of the weight-norm scales
    ema_decay: float = _number(0.0, 0.0, 0.99999)  # 0: off
    evaluate_every: int = _number(500, 1)  # steps; the state is saved then, too
    seed: int = _number(0, 0, 2**31 - 1)


@dataclass(frozen=True)
class Config(Section):
    """All of a run. `from_json(to_json())` gives it back; anything unknown or missing is an error."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig

    def to_json(self) -> str:
        return json.dumps(_encode(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Config":
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"not JSON: {error}") from None
        return _decode(cls, value, "config")

    def override(self, assignments) -> "Config":
        """A copy with `a.b=value` assignments applied, each value read as JSON or else as a string.

        Raises:
          UserError: an assignment without "=", an unknown key, or a value of another type or out of range.
        """
        value = _encode(self)
        for assignment in assignments:
            key, equals, raw = assignment.partition("=")
            if not equals:
                raise UserError(f"--set={assignment}: expected key=value, such as train.steps=1000")
            *parents, last = key.split(".")
            node = value
            for parent in parents:
                node = node.get(parent) if isinstance(node, dict) else None
            if not isinstance(node, dict) or last not in node:
                known = ", ".join(k for k in node) if isinstance(node, dict) else ", ".join(value)
                raise UserError(f"--set={assignment}: unknown key {key!r}, expected one of {known}")
            try:
                node[last] = json.loads(raw)
            except json.JSONDecodeError:
                node[last] = raw
        return _decode(type(self), value, "config")

    def for_data(self, data: DataConfig, event_shape, levels) -> "Config":
        """A copy for another data set, whose shape and levels the model takes on."""
        pixels = dataclasses.replace(self.model.pixels or PixelsConfig(), levels=levels) if levels else None
        model = dataclasses.replace(self.model, event_shape=tuple(event_shape), pixels=pixels)
        return dataclasses.replace(self, model=model, data=data)

    def differences(self, other: "Config") -> list[str]:
        """One "key: mine != other's" a difference. Where the data lies is not what a run is."""
        mine, others = _flatten(_encode(self)), _flatten(_encode(other))
        keys = [k for k in dict.fromkeys([*mine, *others]) if k != "data.data_dir"]
        return [f"{k}: {mine.get(k)!r} != {others.get(k)!r}" for k in keys if mine.get(k) != others.get(k)]


def _encode(value):
    if dataclasses.is_dataclass(value):
        kind = {"kind": value.kind} if hasattr(value, "kind") else {}
        return kind | {f.name: _encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value


def _flatten(value, prefix=""):
    if not isinstance(value, dict):
        return {prefix: value}
    return {k: v for name, part in value.items() for k, v in _flatten(part, f"{prefix}.{name}".strip(".")).items()}


def _decode(expected, value, where):
    """`value`, parsed from JSON, as the type `expected`; `where` names it in errors."""
    if isinstance(expected, types.UnionType):
        return _decode_union(typing.get_args(expected), value, where)
    if dataclasses.is_dataclass(expected):
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


def _decode_union(options, value, where):
    if type(None) in options:
        rest = [o for o in options if o is not type(None)]
        return None if value is None else _decode(rest[0], value, where)
    kinds = {option.kind: option for option in options}
    if not isinstance(value, dict) or value.get("kind") not in kinds:
        got = value.get("kind") if isinstance(value, dict) else value
        raise UserError(f"{where}.kind is {got!r}, expected one of {', '.join(kinds)}")
    return _decode_section(kinds[value["kind"]], {k: v for k, v in value.items() if k != "kind"}, where)


def _decode_section(cls, value, where):
    if not isinstance(value, dict):
        raise UserError(f"{where} is {value!r}, expected an object with keys")
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]
    for key in value:
        if key not in names:
            raise UserError(f"{where} has the unknown key {key!r}, expected {', '.join(names)}")
    for name in names:
        if name not in value:
            raise UserError(f"{where} lacks the key {name!r}")
    parts = {name: _decode(hints[name], value[name], f"{where}.{name}") for name in names}
    try:
        return cls(**parts)
    except UserError as error:
        message = str(error)
        raise UserError(message if message.startswith(where) else f"{where}.{message}") from None
