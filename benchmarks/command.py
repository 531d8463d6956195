"""Times a workload and says what it takes, as ratios of contenders that are timed in turn.

python bin/benchmark.py serving --run_dir=runs/fashion --model=saved_models/fashion --markdown=docs/performance.md
python bin/benchmark.py two_moons --against=torch
python bin/benchmark.py all --folder=runs/benchmark --run_dir=runs/fashion --model=saved_models/fashion
python bin/benchmark.py --list
"""

import json
import sys

from absl import flags

from benchmarks import everything, registry, report
from nvp_tf.errors import UserError
from nvp_tf.files import write_text

POSITIONAL = 1  # words that are no flags
FLAGS = flags.FLAGS
flags.DEFINE_bool("list", False, "List the workloads.")
flags.DEFINE_string("out", None, "A file for the JSON, which is also printed.")
flags.DEFINE_string(
    "markdown", None, "A page whose section of this workload is written anew; such as docs/performance.md."
)

flags.DEFINE_string(
    "folder", None, "Of all: where results are kept, by commit, so that it goes on where it stopped; and its own runs."
)

# Of single workloads; one that does not take an option says so.
OPTIONS = ["against", "run_dir", "model", "rounds", "seconds", "starts", "minutes", "steps", "picture"]
flags.DEFINE_enum("against", None, ["torch"], "Peers to time a model beside: PyTorch's and others (`bin/setup peers`).")
flags.DEFINE_string("run_dir", None, "The run's folder.")
flags.DEFINE_string("model", None, "The export, saved_models/NAME or a version of it.")
flags.DEFINE_integer("rounds", None, "How often each contender is timed.", lower_bound=1)
flags.DEFINE_float("seconds", None, "For how long each time, at least.", lower_bound=0.0)
flags.DEFINE_integer("starts", None, "How often each contender is started.", lower_bound=1)
flags.DEFINE_float("minutes", None, "For how long a peer is trained.", lower_bound=0.0)
flags.DEFINE_integer("steps", None, "How many steps our own run has.", lower_bound=10)
flags.DEFINE_string("picture", None, "A file for the curves.")


def main(name=None):
    if FLAGS.list:
        for workload in registry.names():
            print(f"{workload:18} {registry.summary(workload)}", file=sys.stderr)
        return {"workloads": registry.names()}
    if name is None:
        raise UserError("expected a workload's name, or all; `bin/benchmark.py --list` shows them")
    options = {option: FLAGS[option].value for option in OPTIONS if FLAGS[option].present}
    result = _all(options) if name == "all" else measured(name, options)
    if FLAGS.out:
        write_text(FLAGS.out, json.dumps(result, indent=2) + "\n")
    return result


def _all(options):
    given = options | {"folder": FLAGS.folder}
    for option in ("folder", "run_dir", "model"):
        if not given.get(option):
            raise UserError(f"all needs --{option}")
    return everything.run(given, measured, lambda line: print(line, file=sys.stderr))


def measured(name, options):
    workload = registry.load(name, options)
    result = workload.run(**options, say=lambda line: print(f"{name}: {line}", file=sys.stderr))
    if FLAGS.markdown:
        report.replace_section(FLAGS.markdown, workload.section(result), workload.markdown(result))
    return result
