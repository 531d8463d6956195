"""Scores many files with an export on Apache Beam: on this machine, or on a Flink, Spark or Dataflow cluster.

bin/setup beam; source .venv-beam/bin/activate
nvp_tf score_beam --model=saved_models/fashion --input='shards/*.tfrecord' --output=scores
nvp_tf score_beam --model=saved_models/fashion --input=pictures --output=scores --direct_num_workers=2 \
    --direct_running_mode=multi_processing

Any other flag is Beam's. docs/bulk_scoring.md says what is written, and how to start it on a cluster.
"""

import sys
import time
from typing import Any

from absl import flags

from nvp_tf import cli
from nvp_tf.errors import UserError

POSITIONAL = sys.maxsize  # words that are no flags
FOREIGN = True  # whether flags that are not ours are words, too
FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "The export's folder, on a disk or where Beam reaches: gs://...", required=True)
flags.DEFINE_multi_string("input", None, "A file, a folder or a pattern; may be given several times.", required=True)
flags.DEFINE_string("output", None, "The folder for scores-*, errors-* and summary.json.", required=True)
flags.DEFINE_enum("format", "parquet", ["parquet", "csv"], "The kind of the tables.")
flags.DEFINE_bool("encode", False, "Write latents instead of scores.")
flags.DEFINE_bool("fit", False, "Scale, crop and convert pictures to the model's size, depth and levels.")
flags.DEFINE_string("background", None, "With --fit: the colour behind transparent pixels; white if not given.")
flags.DEFINE_string("deep_range", None, "With --fit: LOW,HIGH, values of 16-bit and float pictures; 0,65535.")
flags.DEFINE_string("feature", None, "The feature of TFRecords, or column of Parquet, that has the image or vector.")
flags.DEFINE_integer("batch_size", 64, "How many are scored at once.", lower_bound=1)


def main(*words: str) -> dict[str, Any]:
    if FLAGS.encode and FLAGS.format == "csv":
        raise UserError("format is 'csv', expected 'parquet' for latents")
    try:
        from nvp_tf.scoring import beam_options
    except ModuleNotFoundError as error:
        if error.name != "apache_beam":
            raise
        raise UserError("apache_beam is not here, expected bin/setup beam and .venv-beam/bin/python") from None
    pipeline = beam_options.pipeline(words)
    from nvp_tf.scoring import beam, pictures

    fit = pictures.fit_of_flags(FLAGS.fit, FLAGS.background, FLAGS.deep_range)
    model = beam.check(FLAGS.model, FLAGS.input, FLAGS.output)
    cli.quiet_tensorflow()
    start, suffix = time.perf_counter(), f".{FLAGS.format}"
    summary = beam.run(
        pipeline, model, FLAGS.input, FLAGS.output, suffix, FLAGS.batch_size, FLAGS.encode, fit, FLAGS.feature
    )
    seconds = time.perf_counter() - start
    if passed := summary.get("passed_over"):
        name, why = next(iter(summary["passed_over_files"].items()))
        print(f"{passed} passed over, such as {name}: {why}", file=sys.stderr)
    if not summary["scored"]:
        raise UserError(f"nothing could be scored, {FLAGS.output}/errors-* says why")
    per_second = (summary["scored"] + summary["errors"]) / seconds
    figures = {name: value for name, value in summary.items() if name not in ("input", "histograms")}
    return {"output": FLAGS.output} | figures | {"per_second": round(per_second, 1)}
