"""Measures how well a run's scores tell its own test images from other data, noise and altered images.

nvp_tf out_of_distribution --run_dir=runs/fashion --out=runs/fashion/foreign --folder=~/Pictures

docs/out_of_distribution.md explains what it writes: figures.json, table.md, scores.csv, histograms.png, statistics.png
and examples.png.
"""

import os
import sys
from pathlib import Path
from typing import Any

from absl import flags

from nvp_tf import cli, markdown

FLAGS = flags.FLAGS
RULES = ("log_prob", "typicality", "foreign", "S webp")  # of the line of JSON; figures.json has all
flags.DEFINE_string("run_dir", None, "The run's folder.", required=True)
flags.DEFINE_string("out", None, "The folder to write to.", required=True)
flags.DEFINE_integer("num", 1000, "Images of each set.", lower_bound=1)
flags.DEFINE_multi_string(
    "also", [], "NAME:DIR, a data set whose files are in DIR; those found without are taken anyway."
)
flags.DEFINE_multi_string("folder", [], "A folder of pictures, of which random squares are cut.")
flags.DEFINE_string("page", None, "A Markdown file to put table.md in, between `<!-- table: NAME -->` and its end.")
flags.DEFINE_integer("seed", 0, "Of which images are chosen, of noise and of samples.", lower_bound=0)
flags.DEFINE_enum("weights", "best", ["best", "last"], "Which of the run's weights.")
flags.DEFINE_string("data_dir", None, "Where the run's data is, if not where it was in training.")
flags.DEFINE_bool("progress", True, "Draw a progress bar.")


def main() -> dict[str, Any]:
    cli.quiet_tensorflow()
    from tqdm import tqdm

    from nvp_tf.files import json_text, write_text
    from nvp_tf.out_of_distribution import plots, report
    from nvp_tf.out_of_distribution.measure import OWN, measure
    from nvp_tf.pictures.layout import save
    from nvp_tf.runs.source import Source

    source = Source(FLAGS.run_dir, FLAGS.weights, FLAGS.data_dir, FLAGS.seed)
    place = source.run.path.absolute().name
    if FLAGS.page:
        markdown.around(FLAGS.page, *report.marks(place))
    folders = [os.path.expanduser(folder) for folder in FLAGS.folder]
    measurement = measure(
        source, FLAGS.num, FLAGS.also, folders, lambda names: tqdm(names, unit="set", disable=not FLAGS.progress)
    )
    for name, why in measurement.skipped.items():
        print(f"skipped {name}: {why}", file=sys.stderr)
    if measurement.passed:
        print(measurement.passed, file=sys.stderr)
    figures, out = measurement.figures, Path(FLAGS.out)
    table = report.tables(figures)
    write_text(out / "figures.json", json_text(figures, indent=2) + "\n")
    write_text(out / "table.md", table)
    write_text(out / "scores.csv", report.scores_csv(measurement))
    for draw in (plots.histograms, plots.statistics, plots.examples):
        save(draw(measurement), out / f"{draw.__name__}.png")
    if FLAGS.page:
        markdown.insert(FLAGS.page, *report.marks(place), table)
    return {
        "false_alarms": {rule: figures[OWN]["caught"][rule] for rule in ("typicality", "foreign")},
        "auroc": {name: {rule: round(row["auroc"][rule], 3) for rule in RULES} for name, row in figures.items()},
        "held_out": len(measurement.detectors.held_out.images),
        "skipped": list(measurement.skipped),
        **measurement.passed.figures(),
        "out": FLAGS.out,
        "run_dir": FLAGS.run_dir,
    }
