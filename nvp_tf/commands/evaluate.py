"""Scores a split of the run's data set: bits/dim with its standard error.

nvp_tf evaluate --run_dir=runs/digits --split=test --noise_samples=8
"""

from typing import Any

from absl import flags

from nvp_tf import cli
from nvp_tf.errors import UserError

FLAGS = flags.FLAGS
flags.DEFINE_string("run_dir", None, "The run's folder.", required=True)
flags.DEFINE_string("split", "test", "train, valid or test.")
flags.DEFINE_integer("noise_samples", 1, "Draws of dequantization noise for each image.", lower_bound=1)
flags.DEFINE_integer("batch_size", 100, "Examples scored at once.", lower_bound=1)
flags.DEFINE_integer("limit", None, "Only the first so many examples.", lower_bound=1)
flags.DEFINE_enum("weights", "best", ["best", "last"], "Which of the run's weights.")
flags.DEFINE_string("data_dir", None, "Where the data set's files are, if not where they were in training.")
flags.DEFINE_bool("progress", True, "Draw a progress bar.")


def main() -> dict[str, Any]:
    if FLAGS.split not in ("train", "valid", "test"):
        raise UserError(f"split is {FLAGS.split!r}, expected one of train, valid, test")
    cli.quiet_tensorflow()
    from tqdm import tqdm

    from nvp_tf.evaluation.evaluator import Evaluator
    from nvp_tf.runs.opened import OpenRun
    from nvp_tf.training.choices import set_threads

    opened = OpenRun(FLAGS.run_dir, FLAGS.weights, FLAGS.data_dir)
    set_threads(opened.config, opened.run)  # scored as it was while it was trained
    figures = Evaluator(opened.flow, FLAGS.batch_size).evaluate(
        getattr(opened.dataset, FLAGS.split),
        FLAGS.noise_samples,
        FLAGS.limit,
        lambda batches: tqdm(batches, unit="batch", disable=not FLAGS.progress),
    )
    if FLAGS.weights == "best" and not FLAGS.limit:
        opened.run.write_score(FLAGS.split, figures)
    about = {"dataset": opened.dataset.name, "split": FLAGS.split, "weights": FLAGS.weights, "run_dir": FLAGS.run_dir}
    return figures | about
