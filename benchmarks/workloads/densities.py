"""Chapter 4's models: a PixelCNN's cached sampler beside the naive one, MAF's scores beside TFP's own."""

import numpy as np

from benchmarks import machine, report
from benchmarks.process import Worker
from benchmarks.rounds import interleaved
from nvp_tf.markdown import table

SIDE, IMAGES = 28, 16
DIMENSIONS, POINTS = 16, 10_000
LEAST_SAMPLER, MOST_SCORE = 20, 1.2  # times the naive one's speed; times TFP's time
_OURS = "ours"
_PAIRS = {"sample": ("cached", "naive", IMAGES), "score": ("maf", "maf_by_tfp", POINTS)}


def run(rounds=3, seconds=0.0, say=print) -> dict:
    """Measures both pairs in one process.

    Args:
      rounds: how often each is timed.
      seconds: for how long each time, at least.
      say: called with lines of progress.

    Returns:
      sample, score: of each what a second makes of it, ours and the other's, the ratio of the two (median, low, high)
      and how far their answers are apart. And `checks`.
    """
    arguments = {"side": SIDE, "images": IMAGES, "dimensions": DIMENSIONS, "points": POINTS}
    with machine.Bystanders() as bystanders, Worker("densities", arguments) as worker:
        jobs = [(_OURS, name) for ours, other, _ in _PAIRS.values() for name in (ours, other)]
        speeds = interleaved({_OURS: worker}, jobs, rounds, seconds, say)
        found = {what: _pair(worker, speeds, *pair) for what, pair in _PAIRS.items()}
    faster, score = (found[what]["ratio"]["median"] for what in _PAIRS)
    return {
        "workload": "densities",
        "command": "bin/benchmark.py densities",
        **found,
        "checks": [
            report.at_least("cached sampling, times as fast as naive", faster, LEAST_SAMPLER),
            report.at_most("MAF's score, times TFP's own time", 1 / score, MOST_SCORE),
        ],
        "rounds": rounds,
        "machine": machine.describe(("tensorflow", "tensorflow-probability", "keras")),
        "others": bystanders.share,
    }


def _pair(worker, speeds, ours, other, work) -> dict:
    answers = [worker.value(name)["answer"] for name in (ours, other)]
    return {
        "per_second": speeds.per_second((_OURS, ours), work),
        "other_per_second": speeds.per_second((_OURS, other), work),
        "ratio": speeds.ratio((_OURS, ours), (_OURS, other)),
        "difference": float(np.abs(answers[0] - answers[1]).max()),
    }


def section(result) -> str:
    return "densities"


def markdown(result) -> str:
    """The section of docs/performance.md."""
    header = ["", "this project, a second", "beside", "a second", "ratio", "largest difference of answers"]
    names = {
        "sample": (f"samples of a PixelCNN, {SIDE}x{SIDE}, {IMAGES} at once", "the network for each pixel"),
        "score": (f"scores of a MAF of {DIMENSIONS} dimensions, {POINTS:,} at once", "TFP alone, the same networks"),
    }
    rows = [
        [
            what,
            report.number(result[key]["per_second"]),
            beside,
            report.number(result[key]["other_per_second"]),
            report.ratio(result[key]["ratio"]),
            f"{result[key]['difference']:.2g}",
        ]
        for key, (what, beside) in names.items()
    ]
    return "\n\n".join(
        [
            "## Chapter 4's models",
            f"    {result['command']}",
            table(header, rows),
            f"Ratios are the median of {result['rounds']} rounds, and their ends; float32. "
            + report.machine(result["machine"], result["others"]),
            report.checks(result["checks"]),
        ]
    )
