"""Tables 5.1 and 5.2 of the thesis in Markdown, beside the scores of the runs found under a folder.

nvp_tf tables --runs=runs --out=tables.md

A run's score is the one that training ended with, or that nvp_tf evaluate found last.
"""

import sys
from typing import Any

from absl import flags

from nvp_tf.files import write_text

FLAGS = flags.FLAGS
flags.DEFINE_string("runs", "runs", "The folder to look for runs in, at any depth.")
flags.DEFINE_string("out", None, "The Markdown file to write; it is also printed to stderr.")


def main() -> dict[str, Any]:
    from nvp_tf.runs.tables import find_runs, tables

    runs = find_runs(FLAGS.runs)
    text = tables(runs)
    print(text, file=sys.stderr)
    if FLAGS.out:
        write_text(FLAGS.out, text)
    return {"runs": len(runs), "scored": sum("test" in run.scores for run in runs), "out": FLAGS.out}
