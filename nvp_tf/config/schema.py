"""What a model, a data set and a training run are: frozen, strict values with JSON both ways.

No TensorFlow is imported here, so that `--help` and a mistyped flag are answered at once.
"""

import dataclasses
import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from nvp_tf.config.codec import Section, choice, decode, encode, flatten, number
from nvp_tf.errors import UserError
from nvp_tf.event import Event


@dataclass(frozen=True)
class PixelsConfig(Section):
    """How integers become reals: dequantization, range and logit (thesis 5.3.1)."""

    levels: int = number(256, 2, 256)
    range: str = choice("unit", "unit", "symmetric")  # [0, 1] or [-1, 1]
    alpha: float = number(0.05, 0.0, 0.49)  # 0: no logit

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha and self.range != "unit":
            raise UserError(f"range is {self.range!r}, expected unit with a logit (alpha is {self.alpha})")


@dataclass(frozen=True)
class WhiteningConfig(Section):
    """ZCA whitening of the flat vector, fitted to the training split before the first step (thesis table 5.1)."""

    share: float = number(0.01, 1e-9)  # added to each eigenvalue of the covariance, times their mean


@dataclass(frozen=True)
class StandardizationConfig(Section):
    """Vectors at mean 0 and deviation 1, feature by feature, fitted to the training split before the first step."""


@dataclass(frozen=True)
class NICEConfig(Section):
    """NICE: additive couplings with MLPs on the flat vector, then a diagonal scaling (thesis 5.2)."""

    kind: ClassVar[str] = "nice"
    couplings: int = number(4, 1)
    hidden_layers: int = number(5, 1)
    hidden_units: int = number(1000, 1)


@dataclass(frozen=True)
class VectorRealNVPConfig(Section):
    """Real NVP for plain vectors: affine couplings with MLPs on alternating parity masks (thesis 5.1)."""

    kind: ClassVar[str] = "vector_realnvp"
    couplings: int = number(8, 1)
    hidden_layers: int = number(2, 1)
    hidden_units: int = number(64, 1)
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
    scales: int = number(2, 1)
    couplings: int = number(3, 1)
    filters: int = number(32, 1)
    blocks: int = number(4, 0)
    checkerboard: str = choice("masked", "masked", "packed")
    batch_norm: bool = True
    momentum: float = number(0.9, 0.0, 0.9999)  # of running statistics, the networks' too
    epsilon: float = number(1e-4, 0.0)  # added to the flow's batch norm's variance


FlowConfig = NICEConfig | VectorRealNVPConfig | RealNVPConfig


@dataclass(frozen=True)
class ModelConfig(Section):
    """A density model: everything that decides its weights' shapes and its log-likelihood.

    event_shape: (height, width, channels) of an image, or (dimensions,) of a vector.
    pixels: how integers become reals; None for data that is real already.
    whitening: of flat vectors, so not for flow kind realnvp; None for none.
    standardization: of vectors, before all else; None for none.
    """

    newer: ClassVar[tuple[str, ...]] = ("standardization",)
    event_shape: tuple[int, ...]
    flow: FlowConfig
    pixels: PixelsConfig | None = None
    prior: str = choice("normal", "normal", "logistic")
    whitening: WhiteningConfig | None = None
    standardization: StandardizationConfig | None = None

    @property
    def event(self) -> Event:
        reals = "float64" if self.standardization else "float32"
        return Event(self.event_shape, self.pixels.levels if self.pixels else None, reals=reals)

    def __post_init__(self) -> None:
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
        if self.standardization and (len(shape) != 1 or self.pixels):
            raise UserError(f"standardization is {self.standardization}, expected null: it is of vectors of reals")
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


@dataclass(frozen=True)
class DataConfig(Section):
    """A data set by name, where its files lie, and how training examples are augmented.

    A config.json may lack keys of this section that have defaults: it was written before they were there.
    """

    complete: ClassVar[bool] = False
    only: ClassVar[dict[str, tuple[str, ...]]] = {  # keys that no other data set takes
        "folder": ("size", "resize", "crop", "crops", "grey", "background", "deep_range", "levels"),
        "npz": ("array", "held_out", "channels"),
        "table": ("columns",),
    }
    name: str
    data_dir: str | None = None
    flips: bool = False  # random horizontal flips of training images
    # How a picture of any size becomes examples.
    size: int = number(32, 2, 1024)  # examples are size x size
    resize: int = number(0, 0, 4096)  # the smaller side is scaled to it before cropping; 0: to size
    crop: str = choice("centre", "centre", "random")  # random: another place each time
    crops: int = number(1, 1, 100_000)  # examples an image in an epoch, and in each held-out split
    grey: bool = False
    background: str = "white"  # behind transparent pixels
    deep_range: str = ""  # LOW,HIGH: values of 16-bit and float pictures that become black and white; 0,65535
    levels: int = number(256, 2, 256)  # pixels are brought to so many values
    # Which arrays of a file are meant, where their names do not tell.
    array: str | None = None  # the one to train on
    held_out: str | None = None  # the one to test on, or VALID,TEST
    channels: str = choice("", "", "first", "last")  # of images, [n, c, h, w] or [n, h, w, c]; "": refused if in doubt
    # Of vectors.
    columns: tuple[str, ...] | None = None  # of a table, by name or, without a header, by number from 0; all
    dequantize: bool = False  # columns of few distinct values get uniform noise as wide as their step

    def __post_init__(self) -> None:
        super().__post_init__()
        owners = {key: name for name, keys in self.only.items() if name != self.name for key in keys}
        for f in dataclasses.fields(self):
            if f.name in owners and (value := getattr(self, f.name)) != f.default:
                shown = ", ".join(value) if isinstance(value, tuple) else repr(value)
                raise UserError(f"{f.name} is {shown}, expected none: only {owners[f.name]} takes it")
        if self.columns is not None and len(set(self.columns)) < len(self.columns):
            raise UserError(f"columns is {', '.join(self.columns)}, expected each once")
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
    """One training run. Every random number comes from `seed`, the step and the example's index.

    A config.json may lack keys of this section: they have their defaults. None of them says what weights mean.
    What is open, `network_dtype` "auto" and `threads` 0, is chosen when a run begins, and config.json then says it.
    """

    complete: ClassVar[bool] = False
    steps: int = number(1000, 1)
    batch_size: int = number(64, 1)
    learning_rate: float = number(1e-3, 0.0)
    schedule: str = choice("constant", "constant", "cosine")  # cosine: to 0 at the last step
    warmup_steps: int = number(0, 0)
    clip_norm: float = number(100.0, 0.0)  # global norm of the gradient of nats per example; 0: off
    network_dtype: str = choice("float32", "float32", "bfloat16", "auto")  # of networks; a run is loaded in float32
    threads: int = number(0, 0, 1024)  # of one operation on the CPU; 0: chosen when the run begins
    l2: float = number(0.0, 0.0)  # times the sum of squares of the weight-norm scales
    ema_decay: float = number(0.0, 0.0, 0.99999)  # 0: off
    evaluate_every: int = number(500, 1)  # steps; a checkpoint is written then, too
    recompute_couplings: bool = False  # in the backward pass, little of them is kept: less memory, more time
    recompute_statistics: int = number(0, 0)  # batches to recompute batch norm's from before each evaluation; 0: off
    checkpoint_minutes: float = number(10.0, 0.0, math.inf)  # between two evaluations; 0: only at evaluations
    keep_checkpoints: int = number(2, 2)  # of evaluations, beside the newest between two
    explosion: float = number(2.0, 0.0, math.inf)  # bits/dim that a validation score may be worse than the one before
    rollbacks: int = number(5, 0)  # times that the run may diverge and go back to a checkpoint; then it gives up
    rollback_factor: float = number(0.5, 1e-6, 1.0)  # of the learning rate, each time
    seed: int = number(0, 0, 2**31 - 1)


@dataclass(frozen=True)
class Config(Section):
    """All of a run. `from_json(to_json())` gives it back; an unknown key is an error, as is a missing one that
    decides what the weights mean."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig

    def to_json(self) -> str:
        return json.dumps(encode(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Config":
        try:
            value = json.loads(text, object_pairs_hook=_without_repetition)
        except json.JSONDecodeError as error:
            raise UserError(f"not JSON: {error}") from None
        return decode(cls, value, "config")

    def override(self, assignments: Iterable[str]) -> "Config":
        """A copy with `a.b=value` assignments applied, each value read as JSON or else as a string.

        Raises:
          UserError: an assignment without "=", an unknown key, a value of another type or out of range, or a
            `train.warmup_steps` longer than the run. A preset's own may be: a run of a few steps is a trial.
        """
        value, keys = encode(self), []
        for assignment in assignments:
            key, equals, raw = assignment.partition("=")
            keys.append(key)
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
        changed: Config = decode(type(self), value, "config")
        train = changed.train
        if "train.warmup_steps" in keys and train.warmup_steps > train.steps:
            raise UserError(
                f"config.train.warmup_steps is {train.warmup_steps}, expected at most the {train.steps} of train.steps"
            )
        return changed

    def for_data(self, data: DataConfig, event: Event) -> "Config":
        """A copy for another data set, whose shape and levels the model takes on, and a table's columns.

        Vectors that are not the preset's own are standardized: nobody knows their units.
        """
        pixels, standardization = None, self.model.standardization
        if event.levels is not None:
            pixels = dataclasses.replace(self.model.pixels or PixelsConfig(), levels=event.levels)
            standardization = None
        elif len(event.shape) == 1 and data.name != self.data.name:
            standardization = StandardizationConfig()
        model = dataclasses.replace(
            self.model, event_shape=tuple(event.shape), pixels=pixels, standardization=standardization
        )
        if data.name == "table" and event.columns:
            data = dataclasses.replace(data, columns=event.columns)
        return dataclasses.replace(self, model=model, data=data)

    def settled_by(self, other: "Config") -> "Config":
        """A copy that has `other`'s choice of what is open here."""
        mine, others = self.train, other.train
        dtype = others.network_dtype if mine.network_dtype == "auto" else mine.network_dtype
        train = dataclasses.replace(mine, network_dtype=dtype, threads=mine.threads or others.threads)
        return dataclasses.replace(self, train=train)

    def differences(self, other: "Config") -> list[str]:
        """One "key: mine != other's" a difference. Where the data lies, how a run is saved and what memory it
        takes is not what it is."""
        mine, others = flatten(encode(self)), flatten(encode(other))
        free = ("data.data_dir", "train.checkpoint_minutes", "train.keep_checkpoints", "train.recompute_couplings")
        keys = [k for k in dict.fromkeys([*mine, *others]) if k not in free]
        return [f"{k}: {mine.get(k)!r} != {others.get(k)!r}" for k in keys if mine.get(k) != others.get(k)]


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of a key given twice, Python's parser would keep the last silently."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise UserError(f"the key {repeated!r} is given twice, expected once")
    return dict(pairs)
