"""Draws a figure of the thesis from a run.

nvp_tf figure samples --run_dir=runs/fashion --out=samples.png
nvp_tf figure all     --run_dir=runs/fashion --out=runs/fashion/figures
nvp_tf figure --list
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from nvp_tf import cli
from nvp_tf.errors import UserError

if TYPE_CHECKING:
    from nvp_tf.figures.registry import Figure

POSITIONAL = 1  # words that are no flags
FLAGS = flags.FLAGS
flags.DEFINE_bool("list", False, "List the figures and what each stands for.")
flags.DEFINE_string("run_dir", None, "The run's folder.")
flags.DEFINE_string("out", None, "The file to write: .png, .jpg, or .gif for what moves; with `all`, a folder.")
flags.DEFINE_integer("seed", 0, "The same seed draws the same.", lower_bound=0)
flags.DEFINE_enum("weights", "best", ["best", "last"], "Which of the run's weights.")
flags.DEFINE_string("data_dir", None, "Where the data set's files are, if not where they were in training.")

# Of single figures; `--list` says which take which.
OPTIONS = ["num", "angles", "stops", "steps", "step_size", "clip", "chain", "factor"]
flags.DEFINE_integer("num", None, "How many images, pairs of images, or points.", lower_bound=1)
flags.DEFINE_integer("angles", None, "Angles each way.", lower_bound=1)
flags.DEFINE_integer("stops", None, "Images from one end to the other, both counted.", lower_bound=2)
flags.DEFINE_integer("steps", None, "Steps of a chain.", lower_bound=1)
flags.DEFINE_float("step_size", None, "A chain's first step.", lower_bound=0.0)
flags.DEFINE_bool("clip", True, "Whether a chain is kept in the pixels' range.")
flags.DEFINE_enum("chain", None, ["pixels", "latents"], "What a chain's steps move.")
flags.DEFINE_float("factor", None, "How many times larger.", lower_bound=0.0)


def main(name: str | None = None) -> dict[str, Any]:
    from nvp_tf.figures import registry

    if FLAGS.list:
        return list_figures(registry.FIGURES)
    needs_run = name not in registry.FIGURES or registry.FIGURES[name].needs_run
    if not name or not FLAGS.out or (needs_run and not FLAGS.run_dir):
        raise UserError("expected a figure's name, --run_dir and --out; `nvp_tf figure --list` shows the names")
    options = {option: FLAGS[option].value for option in OPTIONS if FLAGS[option].present}
    if name != "all":
        registry.check_options(name, options)
    cli.quiet_tensorflow()
    from nvp_tf.figures import album
    from nvp_tf.pictures import layout
    from nvp_tf.runs.source import Source

    source = Source(FLAGS.run_dir, FLAGS.weights, FLAGS.data_dir, FLAGS.seed) if FLAGS.run_dir else None
    made = {"figure": name, "out": FLAGS.out, "seed": FLAGS.seed, "run_dir": FLAGS.run_dir} | options
    if name == "all" and source is not None:
        return made | album.draw_all(source, FLAGS.out, options)
    layout.check_suffix(FLAGS.out)
    try:
        layout.save(registry.draw(name, source, options), FLAGS.out)
    except layout.Interrupted as early:
        layout.save(early.drawing, FLAGS.out)
        raise KeyboardInterrupt(f"{early}, as {FLAGS.out} shows it") from None
    return made


def list_figures(figures: dict[str, Figure]) -> dict[str, list[str]]:
    """A table on stderr: name, figure of the thesis, what it shows, its options."""
    rows = [("figure", "thesis", "shows", "options")]
    for name, figure in figures.items():
        rows.append((name, figure.thesis or "–", figure.summary, " ".join(f"--{o}" for o in figure.options)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=sys.stderr)
    return {"figures": list(figures)}
