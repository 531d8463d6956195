"""Exports a run as a SavedModel that TF Serving mounts and plain TensorFlow loads.

python bin/export.py --run_dir=runs/digits --export_dir=saved_models/digits
"""

from absl import flags

from nvp_tf import cli

FLAGS = flags.FLAGS
flags.DEFINE_string("run_dir", None, "The run's folder.", required=True)
flags.DEFINE_string("export_dir", None, "The model's folder; a numbered version is added to it.", required=True)
flags.DEFINE_enum("weights", "best", ["best", "last"], "Which of the run's weights.")


def main():
    cli.quiet_tensorflow()
    from nvp_tf import data, export
    from nvp_tf.run_dir import RunDir

    run = RunDir(FLAGS.run_dir)
    flow = run.load_flow(FLAGS.weights)
    held_out = next(iter(data.evaluation_batches(data.load(run.config.data).test, 100)))
    return export.export(flow, FLAGS.export_dir, held_out) | {"run_dir": FLAGS.run_dir}


if __name__ == "__main__":
    cli.run(main)
