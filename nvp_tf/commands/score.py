"""Scores pictures, arrays and records with an export, in this process or on a server, to CSV or Parquet.

nvp_tf score --model=saved_models/fashion --out=scores.csv pictures/ 'more/**/*.png' images.npy
nvp_tf score --model=saved_models/fashion --out=scores.csv --dataset=fashion_mnist --split=test
nvp_tf score --server=grpc://localhost:8500 --model=fashion --out=scores.parquet pictures/
nvp_tf score --model=saved_models/fashion --out=latents.npz --encode images.npy
nvp_tf score --model=saved_models/fashion picture.png
nvp_tf score --model=saved_models/fashion --out=scores.csv --group_by=folder cameras/

docs/scoring.md says what may be scored and what the columns mean.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from absl import flags

from nvp_tf import cli
from nvp_tf.errors import UserError
from nvp_tf.scoring.contract import AUTO, ENGINES, LATENTS

if TYPE_CHECKING:
    from nvp_tf.event import Event
    from nvp_tf.scoring.groups import Groups
    from nvp_tf.scoring.items import Item
    from nvp_tf.scoring.lite import LiteModel
    from nvp_tf.scoring.saved_model import SavedModel
    from nvp_tf.scoring.server import Server

    Model = SavedModel | LiteModel | Server

POSITIONAL = sys.maxsize  # words that are no flags
FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "The export's folder, or the name that the server has for it.", required=True)
flags.DEFINE_string("out", None, "The table to write: .csv or .parquet, latents to .npz or .parquet.")
flags.DEFINE_bool("encode", False, "Write latents instead of scores.")
flags.DEFINE_bool("fit", False, "Scale, crop and convert pictures to the model's size, depth and levels.")
flags.DEFINE_string("background", None, "With --fit: the colour behind transparent pixels; white if not given.")
flags.DEFINE_string("deep_range", None, "With --fit: LOW,HIGH, values of 16-bit and float pictures; 0,65535.")
flags.DEFINE_integer("levels", None, "Of a server's model: how many values a pixel has, if not 256.", 2, 256)
flags.DEFINE_list(
    "columns", [], "A table's columns in the model's order; without it, those that the export was trained with."
)
flags.DEFINE_enum("engine", AUTO, ENGINES, "Who answers here: LiteRT, if the export has a file for it.")
flags.DEFINE_string("feature", None, "The feature of TFRecords, or column of Parquet, that has the image or vector.")
flags.DEFINE_string("dataset", None, "Score a split of a data set by name, as nvp_tf train has it.")
flags.DEFINE_enum("split", "test", ["train", "valid", "test"], "Which split of it.")
flags.DEFINE_string("data_dir", None, "Where the data set's files are.")
flags.DEFINE_string("server", None, "grpc://HOST:PORT or http://HOST:PORT of TensorFlow Serving.")
flags.DEFINE_string("label", "stable", "The version label to ask the server for; none for its newest version.")
flags.DEFINE_float("deadline", 30.0, "Seconds that the server has for one request.", lower_bound=0.001)
flags.DEFINE_integer("tries", 6, "How often a request without an answer is made.", lower_bound=1)
flags.DEFINE_integer("in_flight", 4, "Requests that wait for the server at once.", lower_bound=1)
flags.DEFINE_integer("batch_size", 64, "How many are scored at once.", lower_bound=1)
flags.DEFINE_integer("skip", 0, "Leave out so many at the beginning: how to go on.", lower_bound=0)
flags.DEFINE_enum("group_by", None, ["folder"], "Say of each folder, too, whether its source has changed.")
flags.DEFINE_bool("progress", True, "Draw a progress bar.")


def main(*words: str) -> dict[str, Any]:
    from nvp_tf.scoring import inputs, pictures, table

    if FLAGS.out:
        table.check_suffix(FLAGS.out, FLAGS.encode)
    if bool(words) == bool(FLAGS.dataset):
        raise UserError("expected files, folders or patterns to score, or a --dataset")
    if FLAGS.out is None and (FLAGS.encode or FLAGS.dataset or FLAGS.group_by):
        raise UserError("expected --out=FILE to write to")
    fit, found = pictures.fit_of_flags(FLAGS.fit, FLAGS.background, FLAGS.deep_range), inputs.find(words)
    if words and not found.files:
        raise UserError(f"there is nothing to score: {found.passed}")
    model = _model()
    groups = _groups(model) if FLAGS.group_by else None
    if FLAGS.columns:
        if len(FLAGS.columns) != model.event.dimensions or model.event.is_image:
            raise UserError(f"columns is {', '.join(FLAGS.columns)}, expected one for each entry of {model.event}")
        model.event = dataclasses.replace(model.event, columns=tuple(FLAGS.columns))
    items: Iterable[Item]
    total: int | None
    if FLAGS.dataset:
        items, total = _split(model.event)
    else:
        event = _with_levels(model.event)
        items = inputs.stream(found.files, event, fit, FLAGS.feature)
        total = inputs.count(found.files, event)
    if found.passed:
        print(found.passed, file=sys.stderr)
    return (_all(items, total, model, groups) if FLAGS.out else _one(items, model)) | found.passed.figures()


def _model() -> Model:
    if not FLAGS.server:
        from nvp_tf.scoring.local import open_export

        return open_export(FLAGS.model, FLAGS.engine)
    cli.quiet_tensorflow()
    from nvp_tf.scoring.connect import connect

    return connect(FLAGS.server, FLAGS.model, label=FLAGS.label, deadline=FLAGS.deadline, tries=FLAGS.tries)


def _groups(model: Model) -> Groups:
    """Raises UserError where there is nothing to tell groups by."""
    from nvp_tf.scoring.groups import Groups

    if FLAGS.encode or FLAGS.dataset:
        raise UserError("group_by is for scores of files, expected neither --encode nor --dataset")
    if not model.held_out or "foreign" not in model.scores:
        raise UserError(
            f"group_by needs `foreign` and export.json, {FLAGS.model} lacks one: expected a new export here"
        )
    return Groups(model.held_out)


def _with_levels(event: Event) -> Event:
    """The model's event, of as many levels as a flag says."""
    if FLAGS.levels is None:
        return event
    if not event.is_image:
        raise UserError(f"levels is {FLAGS.levels}, expected none for a model of vectors")
    return dataclasses.replace(event, levels=FLAGS.levels)


def _split(event: Event) -> tuple[Iterable[Item], int]:
    """(Items of the data set's split, how many)."""
    cli.quiet_tensorflow()
    from nvp_tf.config.schema import DataConfig
    from nvp_tf.data.registry import load_dataset
    from nvp_tf.scoring import inputs

    columns = event.columns or None if FLAGS.dataset == "table" else None
    dataset = load_dataset(DataConfig(FLAGS.dataset, columns=columns).at(FLAGS.data_dir))
    if dataset.event.shape != event.shape:
        raise UserError(f"{FLAGS.dataset} has examples of {dataset.event}, expected {event} for the model")
    return inputs.split(dataset, FLAGS.split), getattr(dataset, FLAGS.split).size


def _one(items: Iterable[Item], model: Model) -> dict[str, Any]:
    """The scores of one picture, as the command's line of JSON."""
    first = list(itertools.islice(items, 2))
    if len(first) != 1:
        raise UserError("expected --out=FILE to write more than one score to")
    [item] = first
    if item.value is None:
        raise UserError(f"{item.name} {item.error}")
    scores = model.score(item.value[None])
    return {"name": item.name} | {name: float(scores[name][0]) for name in model.scores}


def _all(items: Iterable[Item], total: int | None, model: Model, groups: Groups | None) -> dict[str, Any]:
    import time

    from tqdm import tqdm

    from nvp_tf.scoring import scorer, table
    from nvp_tf.scoring.summary import Summary

    ask = model.encode if FLAGS.encode else model.score
    items = itertools.islice(items, FLAGS.skip, None)
    total = total and max(0, total - FLAGS.skip)
    summary, start = Summary(), time.perf_counter()
    out = table.Table(FLAGS.out, (LATENTS,) if FLAGS.encode else model.scores)
    try:
        with out, tqdm(total=total, unit=" scored", disable=not FLAGS.progress) as bar:
            for rows in scorer.answer(items, ask, FLAGS.batch_size, FLAGS.in_flight if FLAGS.server else 1):
                out.write(rows)
                summary.add(rows)
                if groups:
                    groups.add(rows)
                bar.update(len(rows))
    except (UserError, KeyboardInterrupt) as error:
        if not out.rows:
            raise
        place = table.beside(FLAGS.out, table.INCOMPLETE)
        kept = f"the first {out.rows} are in {place}, go on with --skip={FLAGS.skip + out.rows}"
        raise type(error)("; ".join(filter(None, [str(error), kept]))) from None
    seconds = time.perf_counter() - start
    for line in summary.remarks():
        print(line, file=sys.stderr)
    figures = {"out": FLAGS.out} | summary.figures() | {"per_second": round(out.rows / seconds, 1)}
    if not summary.scored:
        raise UserError(f"nothing could be scored, {FLAGS.out} says why: {summary.first_error or 'there was nothing'}")
    if groups:
        groups.write(table.beside(FLAGS.out, "groups").with_suffix(".csv"))
        figures["groups"] = groups.figures()
    return figures | {"model": FLAGS.model}
