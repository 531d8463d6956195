"""Trains each family of densities and the flows under one budget on one data set, and holds them side by side.

nvp_tf compare --dataset=digits --minutes=5 --seeds=3
nvp_tf compare --dataset=table --data_dir=data.csv --minutes=2 --families=mixture_full,maf,realnvp_table

Writes table.md, table.csv, index.html and pictures to --out, rows as they are done: the same command goes on where it
stopped, with more --seeds or --families too. A family that fails is a row that says why. docs/densities.md explains the
columns.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from nvp_tf import cli
from nvp_tf.config.schema import DataConfig
from nvp_tf.errors import UserError

if TYPE_CHECKING:
    from nvp_tf.event import Event

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", None, "The data set by name, as nvp_tf train has it.", required=True)
flags.DEFINE_string("data_dir", None, "Where the data set's files are.")
flags.DEFINE_float("minutes", None, "Wall-clock to train each row, a seed.", lower_bound=0.001)
flags.DEFINE_integer("steps", None, "Steps to train each row, instead of minutes or at most.", lower_bound=1)
flags.DEFINE_integer("seeds", 1, "How often each is trained.", lower_bound=1)
flags.DEFINE_list("families", [], "Which, and which presets; all that are for the data where none is named.")
flags.DEFINE_multi_string("set", [], "NAME.key=value, a setting of a row, or data.key=value, such as data.flips=true.")
flags.DEFINE_integer("num", 1000, "Test examples that are scored.", lower_bound=1)
flags.DEFINE_bool(
    "export", False, "Export each row's first seed to OUT/exports/NAME, as nvp_tf score and servers take it."
)
flags.DEFINE_string("out", None, "The folder to write to; runs/compare_DATASET where none is named.")


def main() -> dict[str, Any]:
    if FLAGS.minutes is None and FLAGS.steps is None:
        raise UserError("expected --minutes or --steps, the budget of each row")
    data = DataConfig(FLAGS.dataset).at(FLAGS.data_dir)
    cli.quiet_tensorflow()
    from nvp_tf.data.registry import load_dataset
    from nvp_tf.densities.candidates import candidates, changed
    from nvp_tf.densities.comparison import Comparison, Terms
    from nvp_tf.densities.page import write_page, write_tables
    from nvp_tf.densities.row_exports import export_rows
    from nvp_tf.densities.table import lines

    data = changed(data, [s.removeprefix("data.") for s in FLAGS.set if s.startswith("data.")])
    dataset = load_dataset(data)
    assignments = [s for s in FLAGS.set if not s.startswith("data.")]
    chosen = candidates(dataset.event, data, FLAGS.families, assignments)
    out = FLAGS.out or f"runs/compare_{FLAGS.dataset.replace('/', '_')}"
    comparison = Comparison(out, Terms(data, FLAGS.minutes and 60 * FLAGS.minutes, FLAGS.steps, FLAGS.num))
    rows = []

    def done(row: dict) -> None:
        rows.append(row)
        print(_told(row, dataset.event), file=sys.stderr)
        write_tables(comparison, rows, dataset.event, dataset.name)

    comparison.run(chosen, FLAGS.seeds, done)
    page = write_page(comparison, rows, dataset) if any(row["status"] == "done" for row in rows) else None
    found = lines(rows)
    exported, refused = export_rows(comparison, found, dataset) if FLAGS.export else ({}, {})
    for name, why in refused.items():
        print(f"{name} is not exported: {why}", file=sys.stderr)
    best = found[0]
    return {
        "best": best.name if best.done else None,
        "rows": len(rows),
        "failed": sum(row["status"] != "done" for row in rows),
        "page": page and str(page),
        "exported": exported,
        "out": out,
    }


def _told(row: dict, event: Event) -> str:
    """A row in one line, as it is done."""
    who = f"{row['name']}, seed {row['seed']}"
    if row["status"] != "done":
        return f"{who}: failed: {row['why']}"
    key, words = ("bits_per_dim", "bits/dim") if event.is_image else ("log_prob", "nats")
    score = "no score" if row[key] is None else f"{row[key]:.3f} {words}"
    return f"{who}: {score}, {row['kind']}, {row['minutes']:.1f} minutes"
