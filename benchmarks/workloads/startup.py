"""How long each command takes to answer --help, and Python to import what they work with."""

import statistics
import subprocess
import sys
import time

from benchmarks import machine, report
from benchmarks.process import ROOT
from nvp_tf.markdown import table

IMPORTS = ("numpy", "tensorflow", "keras", "nvp_tf.training.train", "nvp_tf.models.tfp_views")


def run(rounds=5, say=print) -> dict:
    """Starts each process once a round, one after the other.

    Args:
      rounds: how often.
      say: called with lines of progress.

    Returns:
      seconds: {what: the median}.
    """
    lines = {f"bin/{file.name} --help": [file, "--help"] for file in sorted((ROOT / "bin").glob("*.py"))}
    lines |= {f"import {name}": ["-c", f"import {name}"] for name in IMPORTS}
    seconds = {what: [] for what in lines}
    with machine.Bystanders() as bystanders:
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for what, line in lines.items():
                began = time.perf_counter()
                subprocess.run([sys.executable, *line], check=True, capture_output=True, cwd=ROOT)
                seconds[what].append(time.perf_counter() - began)
    return {
        "workload": "startup",
        "command": "bin/benchmark.py startup",
        "seconds": {what: statistics.median(found) for what, found in seconds.items()},
        "rounds": rounds,
        "machine": machine.describe(("tensorflow", "keras")),
        "others": bystanders.share,
    }


def section(result) -> str:
    return "startup"


def markdown(result) -> str:
    """The section of docs/performance.md."""
    rows = [[f"`{what}`", f"{seconds:.2f}"] for what, seconds in result["seconds"].items()]
    return "\n\n".join(
        [
            "## Start-up",
            f"    {result['command']}",
            table(["", "s"], rows),
            f"Medians of {result['rounds']} rounds, files in memory. "
            + report.machine(result["machine"], result["others"]),
        ]
    )
