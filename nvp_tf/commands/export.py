"""Exports a run as a SavedModel that TF Serving mounts and plain TensorFlow loads.

nvp_tf export --run_dir=runs/digits --export_dir=saved_models/mine
"""

import shlex
import sys
from typing import Any

from absl import flags

from nvp_tf import cli

FLAGS = flags.FLAGS
flags.DEFINE_string("run_dir", None, "The run's folder.", required=True)
flags.DEFINE_string("export_dir", None, "The model's folder; a numbered version is added to it.", required=True)
flags.DEFINE_enum("weights", "best", ["best", "last"], "Which of the run's weights.")
flags.DEFINE_string("data_dir", None, "Where the data set's files are, if not where they were in training.")
flags.DEFINE_integer("examples", 1000, "On how many of the test split the export is checked.", lower_bound=1)
flags.DEFINE_bool("float16", False, "Round the kernels to float16 first: half the size (docs/tflite.md).")
flags.DEFINE_bool("tflite", True, "Whether to write files for phones, too (docs/tflite.md).")


def main() -> dict[str, Any]:
    cli.quiet_tensorflow()
    from nvp_tf.exporting.export import export_with
    from nvp_tf.runs.opened import OpenRun

    opened = OpenRun(FLAGS.run_dir, FLAGS.weights, FLAGS.data_dir)
    about = {
        "command": shlex.join(["nvp_tf", "export", *sys.argv[1:]]),
        "run_dir": FLAGS.run_dir,
        "weights": FLAGS.weights,
        "scores": opened.run.scores,
    }
    return export_with(
        opened.flow, opened.dataset, FLAGS.export_dir, FLAGS.examples, about, FLAGS.tflite, FLAGS.float16
    )
