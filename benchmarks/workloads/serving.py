"""An export's log_prob in each engine that there is, beside the live model that it was made of."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import engines, machine, report
from benchmarks.process import Worker
from benchmarks.rounds import interleaved, spread
from nvp_tf.errors import UserError
from nvp_tf.markdown import table
from nvp_tf.scoring.contract import newest_version

BATCHES = (1, 256)
SLOWEST, LATEST = 0.95, 5.0  # what must hold of the SavedModel: of the live model's speed at the largest batch; seconds
LIVE, SAVED_MODEL = "live model", "SavedModel"


def run(run_dir, model, rounds=7, seconds=1.0, starts=3, say=print) -> dict:
    """Times the export of a run.

    Args:
      run_dir: the run's folder.
      model: its export, saved_models/NAME or a version of it.
      rounds: how often each contender is timed at each batch size.
      seconds: for how long each time, at least.
      starts: how often each is started.
      say: called with lines of progress.

    Returns:
      Per contender examples_per_second and ratio (to the live model) by batch size, seconds_to_first_score
      (median, low, high; of the process, with the engine's start), peak_memory_bytes and largest_difference (nats,
      from the live model's log_prob); or else why it is not there. And `checks`: what must hold.
    """
    version = newest_version(model)
    with tempfile.TemporaryDirectory() as folder, machine.Bystanders() as bystanders:
        x = engines.held_out(run_dir, max(BATCHES))
        feeds = _feeds(x, Path(folder))
        found, absent = _contenders(run_dir, version, feeds, Path(folder), say)
        with contextlib.ExitStack() as running:
            workers, first = _started(found, absent, starts, running, say)
            speeds = interleaved(workers, [(w, f) for f in feeds for w in workers], rounds, seconds, say)
            scores = {name: worker.value("batch 256")["log_prob"] for name, worker in workers.items()}
            rows = {
                name: {
                    "examples_per_second": {n: speeds.per_second((name, f"batch {n}"), n) for n in BATCHES},
                    "ratio": {n: speeds.ratio((name, f"batch {n}"), (LIVE, f"batch {n}")) for n in BATCHES},
                    "seconds_to_first_score": spread(first[name]),
                    "peak_memory_bytes": worker.peak_memory(),
                    "largest_difference": float(np.max(np.abs(scores[name] - scores[LIVE]))),
                }
                for name, worker in workers.items()
            }
    return {
        "workload": "serving",
        "model": version.absolute().parent.name,
        "command": f"bin/benchmark.py serving --run_dir={run_dir} --model={model}",
        "event_shape": list(x.shape[1:]),
        "contenders": rows,
        "absent": absent,
        "checks": _checks(rows),
        "rounds": rounds,
        "machine": machine.describe(engines.PACKAGES, engines.pythons()),
        "others": bystanders.share,
    }


def _feeds(x, folder):
    """{function: file of its inputs}."""
    feeds = {}
    for n in BATCHES:
        feeds[f"batch {n}"] = str(folder / f"{n}.npz")
        np.savez(feeds[f"batch {n}"], **{engines.name_of(x): x[:n]})
    return feeds


def _contenders(run_dir, version, feeds, folder, say):
    """({name: what `Worker` takes}, {name: why it is not there})."""
    saved_model = {"path": str(version), "feeds": feeds}
    found = {
        LIVE: ("live", {"path": str(run_dir), "feeds": feeds}),
        SAVED_MODEL: ("saved_model", saved_model | {"signature": "log_prob"}),
    }
    absent, lite = {}, sorted(version.glob("*.tflite"))
    for file in lite:
        found[f"LiteRT, {file.name}"] = ("tflite", {"path": str(file), "signature": "log_prob", "feeds": feeds})
    if not lite:
        absent["LiteRT"] = "the export has no .tflite file"
    others = ["OpenVINO", "OpenVINO, its own precision", "ONNX Runtime"]
    if not engines.PYTHON.exists():
        return found, absent | dict.fromkeys(others, f"needs `{engines.SETUP}`")
    found["OpenVINO"] = ("openvino", saved_model, engines.PYTHON)
    found["OpenVINO, its own precision"] = ("openvino", saved_model | {"precision": None}, engines.PYTHON)
    say("converting to ONNX")
    try:
        file = engines.to_onnx(version, "log_prob", folder / "log_prob.onnx")
        found["ONNX Runtime"] = ("onnxruntime", {"path": str(file), "feeds": feeds}, engines.PYTHON)
    except UserError as error:
        absent["ONNX Runtime"] = str(error)
    return found, absent


def _started(contenders, absent, starts, running, say):
    """({name: its Worker}, {name: seconds to the first score, of each start}); `absent` gets who fails."""
    seconds, workers = {name: [] for name in contenders}, {}
    for number in range(starts):
        for name in [name for name in contenders if name not in absent]:
            say(f"start {number + 1} of {starts}: {name}")
            if name in workers:
                workers[name].close()
            try:
                workers[name] = Worker(*contenders[name])
            except UserError as error:
                if name in (LIVE, SAVED_MODEL):
                    raise
                absent[name] = str(error)
                continue
            running.callback(workers[name].close)
            seconds[name].append(workers[name].seconds_to_first)
    return {name: worker for name, worker in workers.items() if name not in absent}, seconds


def _checks(rows):
    speed, start = rows[SAVED_MODEL]["ratio"][max(BATCHES)]["median"], rows[SAVED_MODEL]["seconds_to_first_score"]
    return [
        report.at_least(f"SavedModel at batch {max(BATCHES)}, of the live model's speed", speed, SLOWEST),
        {
            "what": "SavedModel, seconds from the process' start to the first score",
            "value": start["median"],
            "expected": f"below {LATEST}",
            "holds": start["median"] < LATEST,
        },
    ]


def markdown(result) -> str:
    """The section of docs/performance.md."""
    header = ["", *(f"batch {n}, times the live model" for n in BATCHES), *(f"examples/s at {n}" for n in BATCHES)]
    header += ["start to first score, s", "peak memory, MB", "largest difference, nats"]
    rows = []
    for name, row in result["contenders"].items():
        start = row["seconds_to_first_score"]
        rows.append(
            [
                name,
                *(report.ratio(row["ratio"][n]) for n in BATCHES),
                *(report.number(row["examples_per_second"][n]) for n in BATCHES),
                f"{start['median']:.1f} ({start['low']:.1f}–{start['high']:.1f})",
                f"{row['peak_memory_bytes'] / 1e6:.0f}",
                f"{row['largest_difference']:.2g}",
            ]
        )
    absent = [f"{name}: {why}." for name, why in result["absent"].items()]
    shape = "x".join(map(str, result["event_shape"]))
    parts = [
        f"## Serving `{result['model']}`, {shape}",
        f"    {result['command']}",
        table(header, rows),
        " ".join(absent),
        f"Ratios are the median of {result['rounds']} rounds, and their ends. "
        + report.machine(result["machine"], result["others"]),
        report.checks(result["checks"]),
    ]
    return "\n\n".join(part for part in parts if part)


def section(result) -> str:
    """The name of the section: one a model."""
    return f"serving {result['model']}"
