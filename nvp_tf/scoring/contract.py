"""What an export is, said once for those who make it, check it, serve it and ask it. No TensorFlow.

A model is a folder NAME, with a folder of its own for each version: NAME/3/saved_model.pb.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nvp_tf.errors import UserError
from nvp_tf.event import Event

VALUES, LATENTS = "values", "latents"  # what is asked about; values are called `Event.name`
SCALARS = {"num_samples": "int32", "seed": "int64", "temperature": "float32"}
SCORES = ("log_prob", "bits_per_dim", "percentile", "typicality", "foreign")
AUTO, LITERT, SAVED_MODEL = ENGINES = ("auto", "litert", "saved_model")  # who is asked to answer in this process


@dataclass(frozen=True)
class Signature:
    """What a signature is asked, and what it answers, [n] or [n, ...] each; only images have bits_per_dim.

    about: VALUES or LATENTS, [n, ...]; None where scalars are all that it is asked.
    """

    about: str | None
    outputs: tuple[str, ...]
    scalars: tuple[str, ...] = ()

    def inputs_of(self, event: Event) -> tuple[str, ...]:
        """The names of its inputs."""
        return (*(_name(about, event) for about in [self.about] if about), *self.scalars)


SIGNATURES = {
    "serving_default": Signature(VALUES, SCORES[:2]),
    "log_prob": Signature(VALUES, SCORES[:2]),
    "log_prob_with_noise": Signature(VALUES, (*SCORES[:2], "standard_error"), ("seed", "num_samples")),
    "score": Signature(VALUES, SCORES),
    "explain": Signature(VALUES, ("bits", "excess")),
    "encode": Signature(VALUES, (LATENTS,)),
    "decode": Signature(LATENTS, (VALUES,)),
    "sample": Signature(None, (VALUES,), ("num_samples", "seed", "temperature")),
}

FEW, BATCH = 16, 256  # rows that some questions are about; rows asked about at once
DRAW: dict[str, Any] = {"num_samples": 8, "seed": 2018, "temperature": 0.8}
NOISE = {"num_samples": 4, "seed": 7}


@dataclass(frozen=True)
class Question:
    """One thing that a consumer of an export is asked in order to check it.

    name: of the answer, whose outputs are NAME/OUTPUT.
    rows: only so many of the first; None for all.
    batch: at most so many at once.
    """

    name: str
    signature: str
    rows: int | None = None
    batch: int = BATCH
    scalars: dict = dataclasses.field(default_factory=dict)


QUESTIONS = [  # in this order: `decode` is asked about what `encode` answered
    Question("log_prob", "log_prob"),
    Question("serving_default", "serving_default", FEW),
    Question("by_seven", "log_prob", FEW, 7),
    Question("by_one", "log_prob", FEW, 1),
    Question("score", "score"),
    Question("explain", "explain", BATCH),
    Question("encode", "encode"),
    Question("decode", "decode"),
    Question("sample", "sample", scalars=DRAW),
    Question("again", "sample", scalars=DRAW),
    Question("fresh", "sample", scalars=DRAW | {"seed": -1}),
    Question("log_prob_with_noise", "log_prob_with_noise", FEW, scalars=NOISE),
    Question("empty_scores", "score", 0),
    Question("empty_explain", "explain", 0),
    Question("empty_encode", "encode", 0),
    Question("empty_decode", "decode", 0),
    Question("empty_noise", "log_prob_with_noise", 0, scalars=NOISE),
    Question("empty_sample", "sample", scalars=DRAW | {"num_samples": 0}),
]
# Of a .tflite file, which has no random numbers and refuses empty batches.
LITE_QUESTIONS = [q for q in QUESTIONS if not q.scalars and q.rows != 0 and q.signature != "serving_default"]


def asked(questions: list[Question], event: Event) -> list[dict]:
    """Questions for a process that has no nvp_tf: {"name", "signature", "about", "input", "rows", "batch", "scalars"}
    each, scalars as [value, dtype]."""
    return [
        dataclasses.asdict(question)
        | {
            "about": SIGNATURES[question.signature].about,
            "input": next(iter(SIGNATURES[question.signature].inputs_of(event))),
            "scalars": {name: [value, SCALARS[name]] for name, value in question.scalars.items()},
        }
        for question in questions
    ]


def newest_version(model: str | Path) -> Path:
    """The folder with saved_model.pb: `model` itself or the highest number in it; UserError where there is none."""
    folder = Path(model)
    if not folder.is_dir():
        raise UserError(f"{model} is not a folder, expected an export such as saved_models/NAME")
    if (folder / "saved_model.pb").is_file():
        return folder
    versions = [
        version for version in numbers(folder.iterdir()) if (folder / str(version) / "saved_model.pb").is_file()
    ]
    if not versions:
        raise UserError(f"{model} has no saved_model.pb and no version that has one, expected an export")
    return folder / str(max(versions))


def recorded(version: Path) -> dict[str, Any]:
    """An export's export.json; nothing of an export without one.

    Raises:
      UserError: a damaged file.
    """
    file = version / "export.json"
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        levels, columns = found.get("levels"), found.get("columns") or ()
        if (levels is None or 2 <= levels <= 256) and all(isinstance(name, str) for name in columns):
            return found
    except (OSError, ValueError, AttributeError, TypeError):
        pass
    raise UserError(f"{file} is damaged, expected levels from 2 to 256, or the names of columns, in it")


def event_of(shape: Sequence[int], dtype: str, about: dict[str, Any]) -> Event:
    """What an export takes: of its signature the shape and dtype, of `recorded` the levels and names of columns."""
    return Event.of_signature(shape, dtype, about.get("levels"), about.get("columns") or ())


def scores_among(outputs: Iterable[str]) -> tuple[str, ...]:
    """Of what a signature `score` answers, the columns of a table: exports from before have no `foreign`."""
    found = set(outputs)
    return tuple(name for name in SCORES if name in found)


def next_version(model: Path) -> int:
    """The number of the version that an export adds to a model's folder."""
    return 1 + max(numbers(model.iterdir()), default=0)


def numbers(paths: Iterable[str | Path]) -> list[int]:
    """Of paths, the numbers of those that are versions."""
    names = [Path(path).name for path in paths]
    return [int(name) for name in names if name.isdigit()]


def _name(what: str, event: Event) -> str:
    return event.name if what == VALUES else what
