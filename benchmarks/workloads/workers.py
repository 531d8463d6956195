"""Three presets in two worker processes, a core each: what a step exchanges, and what it costs.

As a script it is one of the processes, and steps as lines of its stdin say.
"""

import contextlib
import dataclasses
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import machine, report
from benchmarks.process import ENVIRONMENT
from benchmarks.rounds import spread
from nvp_tf import cli
from nvp_tf.config.presets.registry import get_preset
from nvp_tf.config.schema import Config
from nvp_tf.markdown import table

PRESETS, STEPS = ("realnvp_digits", "realnvp_fashion_mnist", "nice_fashion_mnist"), 5
LARGE = 16 << 20  # bytes, of the exchange that shows what a second carries
SMALL = 50  # exchanges of four bytes, each after the other, as those of a step are
IMAGES, WORKERS = 1e9, (2, 16, 128)  # of the extrapolation


def run(rounds=7, say=print) -> dict:
    """Times steps of two workers beside those of two processes that do the same part each and exchange nothing.

    Args:
      rounds: how often each is timed.
      say: called with lines of progress.

    Returns:
      presets: of each its batch, exchanges a step, gradient_bytes and statistics_bytes (of what is
      summed up, counted), sent_bytes (that one sent, as the network's counters say), seconds of a step together and
      alone, and share, the part of a step's time that is there only since there are two (median, low, high).
      small_seconds, large_seconds: of one exchange of 4 bytes inside of a step, of one of 16 MiB outside.
    """
    found = {}
    with machine.Bystanders() as bystanders:
        for preset in PRESETS:
            say(f"start: {preset}")
            found[preset], exchanges = _compared(get_preset(preset).config, rounds, say)
    return {
        "workload": "workers",
        "command": "bin/benchmark.py workers",
        "presets": found,
        **exchanges,
        "rounds": rounds,
        "machine": machine.describe(("tensorflow", "keras")),
        "others": bystanders.share,
    }


def _compared(config, rounds, say):
    half = dataclasses.replace(config, train=dataclasses.replace(config.train, batch_size=config.train.batch_size // 2))
    with contextlib.ExitStack() as running:
        together = [running.enter_context(process) for process in _start(config, _addresses())]
        alone = [running.enter_context(process) for process in _start(half, None)]
        about, *_ = [process.answer() for process in [*together, *alone]]
        seconds, sent = {"together": [], "alone": []}, []
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            before = _loopback_bytes()
            seconds["together"].append(_both(together, "step"))
            sent.append((_loopback_bytes() - before) / (1 + STEPS) / len(together))
            seconds["alone"].append(_both(alone, "step"))
        exchanges = {
            f"{size}_seconds": spread([_both(together, size) for _ in range(rounds)]) for size in ("small", "large")
        }
    pairs = zip(seconds["alone"], seconds["together"], strict=True)
    found = {
        "sent_bytes": statistics.median(sent),
        "share": spread([1 - one / two for one, two in pairs]),
        **{f"{kind}_seconds": spread(values) for kind, values in seconds.items()},
    }
    return about | found, exchanges


def _both(processes, what):
    """Seconds of one, where the slower of the two has done it some times."""
    for process in processes:
        process.ask(what)
    return max(process.answer()["seconds"] for process in processes)


def _addresses():
    with socket.create_server(("localhost", 0)) as one, socket.create_server(("localhost", 0)) as other:
        return [f"localhost:{opened.getsockname()[1]}" for opened in (one, other)]


def _start(config, addresses):
    cores = sorted(os.sched_getaffinity(0))
    for index in range(2):
        environment = dict(ENVIRONMENT)
        environment.pop("TF_CONFIG", None)
        if addresses:
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment["TF_CONFIG"] = json.dumps(task)
        yield _Process(config, cores[index % len(cores)], environment)


class _Process:
    """One that steps as it is asked to; a context."""

    def __init__(self, config, core, environment):
        line = [sys.executable, __file__, config.to_json(), str(core)]
        self._process = subprocess.Popen(
            line, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def ask(self, what):
        print(what, file=self._process.stdin, flush=True)

    def answer(self):
        return json.loads(self._process.stdout.readline())


def _loopback_bytes():
    """That went through the machine's own network."""
    return int(re.search(r"^\s*lo:\s*(\d+)", Path("/proc/net/dev").read_text(), re.M)[1])


def _serve(config, core):
    """The other end of `_Process`."""
    os.sched_setaffinity(0, [core])
    cli.quiet_tensorflow()
    import numpy as np
    import tensorflow as tf

    from nvp_tf.data.pipeline import training_calls
    from nvp_tf.data.registry import load_dataset
    from nvp_tf.layers.replicas import sum_over_replicas
    from nvp_tf.training.distributed.strategies import distributed, make_strategy
    from nvp_tf.training.distributed.workers import Workers
    from nvp_tf.training.state import TrainingState
    from nvp_tf.training.steps import Calls, steps_of_a_call

    strategy = make_strategy("multiworker" if "TF_CONFIG" in os.environ else "none")
    train, split = config.train, load_dataset(config.data).train
    with strategy.scope():
        state = TrainingState(config)
    calls = Calls(config, state.flow.count_params(), strategy.num_replicas_in_sync)
    calls.size = 1
    call, workers = steps_of_a_call(state, strategy, calls), Workers(strategy)

    def calls_of(pipeline):
        return training_calls(split, train.batch_size, train.seed, range(100), 1, pipeline)

    batch, one = next(iter(distributed(strategy, calls_of))), tf.constant(1)

    def timed(function):
        function()
        start = time.perf_counter()
        for _ in range(STEPS):
            function()
        return {"seconds": (time.perf_counter() - start) / STEPS}

    def small_exchanges():
        value = tf.constant(1.0)
        for _ in range(SMALL):
            value = sum_over_replicas(value)
        return value

    small, large = tf.function(lambda: strategy.run(small_exchanges)), np.zeros(LARGE // 4, np.float32)
    graph = call.get_concrete_function(batch, one).graph
    exchanges = [operation.outputs for operation in graph.get_operations() if operation.type == "PyFunc"]
    sizes = [sum(4 * output.shape.num_elements() for output in outputs) for outputs in exchanges]
    gradients = max(sizes, default=0)  # alone there are none
    call(batch, one)
    about = {
        "batch": train.batch_size,
        "parameters": state.flow.count_params(),
        "exchanges": len(sizes),
        "gradient_bytes": gradients,
        "statistics_bytes": sum(sizes) - gradients,
    }
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        what = line.strip()
        if what == "step":
            found = timed(lambda: call(batch, one)[0].numpy())
        elif what == "small":
            found = {"seconds": timed(small)["seconds"] / SMALL}
        else:
            found = timed(lambda: workers.total(large))
        print(json.dumps(found), flush=True)


def section(result) -> str:
    return "workers"


def markdown(result) -> str:
    """The section of docs/scaling.md."""
    small, large = (result[f"{size}_seconds"]["median"] for size in ("small", "large"))
    return "\n\n".join(
        [
            "## What a step of two workers exchanges, and what it costs",
            f"    {result['command']}",
            _measured(result),
            f"One exchange of four bytes, inside of a step, takes {1e3 * small:.2g} ms, one of {LARGE >> 20} MiB "
            f"{1e3 * large:.3g} ms ({LARGE / large / 1e9:.2g} GB/s). The median of {result['rounds']} rounds, and "
            "their ends; alone is one process a core with half the batch, at the same time, which exchanges nothing. "
            + report.machine(result["machine"], result["others"]),
            "## A billion images: an extrapolation, not a measurement",
            _extrapolated(result),
            "From the table above, for N workers like these, each with the same part of the batch: a step takes what "
            "it takes alone, and (N - 1) (E h + S / B + 2 G / (N B)), with its E exchanges, S bytes of statistics and "
            "G of gradients, h the time of an exchange of four bytes, and B the bytes a second of a large one: "
            "what a worker's messages to the N - 1 others take one after the other, though they go at once. The row of "
            "2 workers can be held against the measurement.",
        ]
    )


def _measured(result):
    header = ["", "batch", "exchanges a step", "gradients, MB", "batch statistics, MB", "sent by each worker, MB"]
    header += ["a step of two, ms", "its half alone, ms", "share of time"]
    return table(
        header,
        [
            [
                f"`{preset}`",
                str(row["batch"]),
                str(row["exchanges"]),
                *(report.number(row[f"{what}_bytes"] / 1e6) for what in ("gradient", "statistics", "sent")),
                *(report.number(1e3 * row[f"{kind}_seconds"]["median"]) for kind in ("together", "alone")),
                report.percent(row["share"]),
            ]
            for preset, row in result["presets"].items()
        ],
    )


def _extrapolated(result):
    hop, bandwidth = result["small_seconds"]["median"], LARGE / result["large_seconds"]["median"]
    rows = []
    for preset, row in result["presets"].items():
        alone = row["alone_seconds"]["median"]
        for count in WORKERS:
            size = row["statistics_bytes"] + 2 * row["gradient_bytes"] / count
            exchange = (count - 1) * (row["exchanges"] * hop + size / bandwidth)
            days = IMAGES / (count * row["batch"] / 2) * (alone + exchange) / 86400
            share = f"{100 * exchange / (alone + exchange):.0f} %"
            rows.append(
                [f"`{preset}`", str(count), report.number(1e3 * (alone + exchange)), share, report.number(days)]
            )
    return table(["", "workers", "a step, ms", "exchanging", "days for a billion images, once"], rows)


if __name__ == "__main__":
    _serve(Config.from_json(sys.argv[1]), int(sys.argv[2]))
