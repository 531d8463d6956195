"""Real NVP of 22 couplings (ImageNet 32x32): memory and time of a step, plain and with couplings recomputed."""

import contextlib
import dataclasses
import math

from benchmarks import machine, report
from benchmarks.process import Worker
from benchmarks.rounds import interleaved
from nvp_tf.config.presets.registry import get_preset
from nvp_tf.markdown import table

PRESET = "realnvp_imagenet32"
LIMIT = 4e9  # bytes that a process may hold
BATCHES = (16, 128)  # memory is a line through these two
MOST_MEMORY, MOST_TIME = 1 / 3, 1.35  # of the plain ones

_CONFIG = get_preset(PRESET).config
_KINDS = {"plain": False, "recomputed": True}
_SIDE = _CONFIG.model.event_shape[0]
_MULTIPLE = 2 ** (_CONFIG.model.flow.scales - 1)  # of which a side must be one


def run(rounds=5, seconds=0.0, say=print) -> dict:
    """Measures the most that a process ever held, each in a new one, from its start to the end of a step.

    Args:
      rounds: how often each kind's step is timed, at the larger batch.
      seconds: for how long each time, at least.
      say: called with lines of progress.

    Returns:
      kinds: of each its bytes_fixed (the process with its graph, weights and optimizer) and bytes_per_example, by
      peak_bytes at two batch sizes; largest_batch at 32x32 and largest_side at batch 1 whose process stays below
      `LIMIT`, each a try of its own with its peak_bytes.
      memory: bytes_per_example recomputed, of plain; process: the same of peak_bytes at the larger batch.
      time: of a step, of plain (median, low, high). And `checks`: what must hold.
    """
    with machine.Bystanders() as bystanders:
        peaks = {kind: {BATCHES[0]: _peak(kind, BATCHES[0], say)} for kind in _KINDS}
        with contextlib.ExitStack() as running:
            workers = {kind: running.enter_context(_start(kind, BATCHES[1], say)) for kind in _KINDS}
            speeds = interleaved(workers, [(kind, "train") for kind in _KINDS], rounds, seconds, say)
            for kind, worker in workers.items():
                peaks[kind][BATCHES[1]] = worker.peak_memory()
        kinds = {kind: _line(found) for kind, found in peaks.items()}
        for kind, row in kinds.items():
            row["largest_batch"] = _largest(row, int, lambda batch, k=kind: _peak(k, batch, say))
            row["largest_side"] = _largest(row, _side, lambda side, k=kind: _peak(k, 1, say, side))
    found = {
        "memory": kinds["recomputed"]["bytes_per_example"] / kinds["plain"]["bytes_per_example"],
        "process": peaks["recomputed"][BATCHES[1]] / peaks["plain"][BATCHES[1]],
        "time": speeds.ratio(("plain", "train"), ("recomputed", "train")),
    }
    return {
        "workload": "memory",
        "command": "bin/benchmark.py memory",
        "kinds": kinds,
        **found,
        "checks": _checks(found),
        "rounds": rounds,
        "machine": machine.describe(("tensorflow", "keras")),
        "others": bystanders.share,
    }


def _start(kind, batch, say, side=_SIDE):
    say(f"start: {kind}, batch {batch}, {side}x{side}")
    model = dataclasses.replace(_CONFIG.model, event_shape=(side, side, 3))
    train = dataclasses.replace(_CONFIG.train, recompute_couplings=_KINDS[kind])
    config = dataclasses.replace(_CONFIG, model=model, train=train)
    return Worker("model", {"config": config.to_json(), "batch": batch, "train": True})


def _peak(kind, batch, say, side=_SIDE):
    with _start(kind, batch, say, side) as worker:
        return worker.peak_memory()


def _line(peaks):
    (few, low), (many, high) = peaks.items()
    slope = (high - low) / (many - few)
    return {"bytes_fixed": low - slope * few, "bytes_per_example": slope, "peak_bytes": peaks}


def _side(examples):
    """The side of one image with as many pixels as so many examples."""
    return int(_SIDE * math.sqrt(examples)) // _MULTIPLE * _MULTIPLE


def _largest(line, size_of, peak):
    """The largest size tried that stays below the limit: first what the line expects, then what the last try says."""
    examples = (LIMIT - line["bytes_fixed"]) / line["bytes_per_example"]
    while (held := peak(size := size_of(examples))) > LIMIT:
        examples *= min(0.95, (LIMIT - line["bytes_fixed"]) / (held - line["bytes_fixed"]))
    return {"size": size, "peak_bytes": held}


def _checks(found):
    bounds = (("memory of an example", found["memory"], MOST_MEMORY), ("time", found["time"]["median"], MOST_TIME))
    return [
        report.at_most(f"couplings recomputed, {what}, times the plain one", value, bound)
        for what, value, bound in bounds
    ]


def section(result) -> str:
    return "memory"


def markdown(result) -> str:
    """The section of docs/performance.md."""
    header = ["couplings", "MB an example", "MB besides", *(f"peak at batch {batch}, MB" for batch in BATCHES)]
    header += [f"largest batch in {LIMIT / 1e9:.0f} GB (its peak, MB)", "largest image at batch 1"]
    rows = []
    for kind, row in result["kinds"].items():
        batch, side = row["largest_batch"], row["largest_side"]
        rows.append(
            [
                kind,
                report.number(row["bytes_per_example"] / 1e6),
                report.number(row["bytes_fixed"] / 1e6),
                *(report.number(peak / 1e6) for peak in row["peak_bytes"].values()),
                f"{batch['size']} ({report.number(batch['peak_bytes'] / 1e6)})",
                f"{side['size']}x{side['size']} ({report.number(side['peak_bytes'] / 1e6)})",
            ]
        )
    return "\n\n".join(
        [
            f"## Memory of a training step, `{PRESET}`",
            f"    {result['command']}",
            table(header, rows),
            f"Peaks are the most that a process ever held, each a new one: TensorFlow, the graph, weights, optimizer "
            f"and one step. Recomputed, a step takes {report.ratio(result['time'])} the plain time, and the whole "
            f"process {result['process']:.2f}x the memory, at batch {BATCHES[1]}; the median of {result['rounds']} "
            "rounds, and their ends. " + report.machine(result["machine"], result["others"]),
            report.checks(result["checks"]),
        ]
    )
