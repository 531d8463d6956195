"""How flat a minimum is, and what of that says nothing: the theorems of chapter 3, a model's report, densities' order.

nvp_tf flatness one            (two ... six, sharpness, reparametrization, weight_norm, inputs): bound beside measured
nvp_tf flatness report --model=classifier.keras --data=arrays.npz --out=report
nvp_tf flatness report --run_dir=runs/fashion --out=report
nvp_tf flatness density --run_dir=runs/fashion --out=order.png
"""

import sys
from pathlib import Path
from typing import Any

from absl import flags

from nvp_tf import cli
from nvp_tf.errors import UserError
from nvp_tf.flatness.theorems.registry import THEOREMS

POSITIONAL = 1
EXAMPLES = 512
FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "A .keras file; its loss is the compiled one, or --loss.")
flags.DEFINE_string("data", None, "An .npz file with x and y, under the names that people give them.")
flags.DEFINE_string("loss", None, "A Keras loss by its name, such as mean_squared_error.")
flags.DEFINE_string("run_dir", None, "A run's folder: its best weights, its training split.")
flags.DEFINE_string("data_dir", None, "Where the run's data is, if not where it was in training.")
flags.DEFINE_string("out", None, "The folder of a report; for `density` a picture.")
flags.DEFINE_integer(
    "examples", None, "How many examples are measured; else 512, or what fits into --minutes.", lower_bound=1
)
flags.DEFINE_float("minutes", 15.0, "What a report may take at most, by its own estimate.", lower_bound=0.001)
flags.DEFINE_float("times", 1e4, "How much sharper the sharper twin is, by its largest eigenvalue.", lower_bound=1.0)
flags.DEFINE_string("write", None, "Also write the sharper model: a .keras file; of a run, a .weights.h5 file.")
flags.DEFINE_string("page", None, "A Markdown file to put the table in, between `<!-- flatness: NAME -->` and its end.")
flags.DEFINE_integer(
    "image", None, "For `density`: which held-out image, by its number; else by the seed.", lower_bound=0
)
flags.DEFINE_integer("num", 1000, "For `density`: how many held-out images are ranked.", lower_bound=2)
flags.DEFINE_integer("seed", 0, "Of what is drawn.", lower_bound=0)


def main(word: str | None = None) -> dict:
    if word in THEOREMS:
        return theorem(word)
    if word not in ("report", "density"):
        raise UserError(f"expected one of {', '.join(THEOREMS)}, report, density, got {word!r}")
    if word == "density":
        if not FLAGS.run_dir:
            raise UserError("density needs --run_dir")
        return density()
    if bool(FLAGS.run_dir) == bool(FLAGS.model) or bool(FLAGS.model) != bool(FLAGS.data):
        raise UserError("report needs --run_dir, or --model and --data")
    return report()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def theorem(name: str) -> dict:
    """The statements of one theorem on stderr, and in the figures."""
    cli.quiet_tensorflow()
    import importlib

    from nvp_tf.flatness.theorems.lines import table

    lines = importlib.import_module(f"nvp_tf.flatness.theorems.{name}").check(FLAGS.seed)
    say(f"{THEOREMS[name]}\n{table(lines)}")
    return {"name": name, "holds": all(line.holds for line in lines), "lines": [line.as_dict() for line in lines]}


def report() -> dict:
    """Measures, keeping what is found; the pages are written at the end, and at Ctrl-C of what there is."""
    cli.quiet_tensorflow()
    from nvp_tf import markdown
    from nvp_tf.flatness import report_data, report_files, report_page
    from nvp_tf.flatness.kept import examples_kept
    from nvp_tf.flatness.report import ITSELF, SHARPER, Report

    def of(examples: int) -> report_data.Source:
        if FLAGS.run_dir:
            return report_data.of_run(FLAGS.run_dir, examples, FLAGS.seed, FLAGS.data_dir)
        return report_data.of_file(FLAGS.model, FLAGS.data, examples, FLAGS.loss, FLAGS.seed)

    out = Path(FLAGS.out or f"{Path(FLAGS.run_dir or FLAGS.model).absolute().stem}_flatness")
    source = of(FLAGS.examples or examples_kept(out) or EXAMPLES)
    write = report_files.check_write(FLAGS.write, source) if FLAGS.write else None
    name = source.path.absolute().name
    if FLAGS.page:
        markdown.around(FLAGS.page, *report_page.marks(name))
    options = {"times": FLAGS.times, "minutes": FLAGS.minutes, "seed": FLAGS.seed, "say": say}
    made = Report(source, out, **options)
    if FLAGS.examples is None and made.fitting < len(source.x):
        source = of(made.fitting)
        made = Report(source, out, **options)
    try:
        results: dict[str, Any] = made.run()
    except KeyboardInterrupt:
        files = report_files.write_report(made.kept.values, name, out)
        done = f"{len(made.kept.values)} results are kept in {made.kept.file}, the same command goes on"
        raise KeyboardInterrupt(f"{done}; written so far: {', '.join(files) or 'no page'}") from None
    if write:
        report_files.write_sharper(results, source, write)
    files = report_files.write_report(results, name, out)
    if FLAGS.page:
        text = f"\n{report_page.sentences(results, name)}\n\n{report_page.markdown_rows(results)}\n"
        markdown.insert(FLAGS.page, *report_page.marks(name), text)
    largest = {model: results[f"{model}/largest eigenvalue"]["value"] for model in made.curvatures}
    twins = [model for model in largest if model != ITSELF]
    return {
        "model": name,
        "examples": results["about"]["examples"],
        "weights": results["about"]["weights"],
        "is_minimum": results["smallest"]["is_minimum"],
        "largest_eigenvalue": largest,
        "sharper_by": largest[SHARPER] / largest[ITSELF] if twins else None,
        "change_of_predictions": {model: results[f"{model} change"]["relative"] for model in twins},
        "out": str(out),
        "files": files,
        "write": FLAGS.write,
    }


def density() -> dict:
    """Both rankings of a run's held-out images beside the unmoved one."""
    cli.quiet_tensorflow()
    from tqdm import tqdm

    from nvp_tf.flatness import density_report
    from nvp_tf.pictures.layout import check_suffix, save

    if FLAGS.out:
        check_suffix(FLAGS.out)
    progress = lambda parts: tqdm(parts, unit="batch", desc="densities")  # noqa: E731
    found = density_report.of_run(FLAGS.run_dir, FLAGS.num, FLAGS.image, FLAGS.seed, FLAGS.data_dir, progress)
    say(found.table())
    if FLAGS.out:
        save(found.picture(), FLAGS.out)
    return found.figures() | {"run_dir": FLAGS.run_dir, "out": FLAGS.out}
