"""Packed against masked checkerboards, bfloat16 against float32: a step's time, and what a trained run scores."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

from benchmarks import machine, report
from benchmarks.process import ROOT, Worker
from benchmarks.rounds import interleaved
from nvp_tf.config.presets.registry import get_preset
from nvp_tf.markdown import table
from nvp_tf.runs.run_dir import RunDir

# Of each preset what is changed, the name that the runs have; the others are compared with the first.
VARIANTS = {
    "realnvp_fashion_mnist": {
        "packed": {"train.network_dtype": "bfloat16"},
        "masked": {"model.flow.checkerboard": "masked", "train.network_dtype": "bfloat16"},
        "float32": {"train.network_dtype": "float32"},
        "masked_float32": {"model.flow.checkerboard": "masked", "train.network_dtype": "float32"},
    },
    "realnvp_digits": {"plain": {"train.network_dtype": "float32"}, "bfloat16": {"train.network_dtype": "bfloat16"}},
}
TIMED = {"masked_float32"}  # and not trained
STEPS = {"realnvp_fashion_mnist": 1500, "realnvp_digits": 900}
FASTER = 1.8  # a packed step than a masked one in float32, at least
BITS = 0.01  # between bfloat16 and float32, at most


def run(run_dir, rounds=5, seconds=1.0, say=print) -> dict:
    """Times steps in turn; then trains the variants, masked ones for as long as the packed one takes.

    Args:
      run_dir: a folder for the runs, RUN_DIR/PRESET_VARIANT; those that are there go on, or are only scored.
      rounds: how often a step is timed.
      seconds: for how long each time, at least.
      say: called with lines of progress.

    Returns:
      presets: of each its variants; of each of those step, how many times as fast its steps are as the first one's
      (median, low, high), and, of those that are trained, steps and the test split's bits_per_dim and standard_error.
      And `checks`: what must hold.
    """
    found = {}
    with machine.Bystanders() as bystanders:
        for preset, variants in VARIANTS.items():
            configs = {name: get_preset(preset).config.override(_words(keys)) for name, keys in variants.items()}
            speeds = _step_speeds(configs, rounds, seconds, say)
            rows = found[preset] = {}
            for name, keys in variants.items():
                rows[name] = {"step": speeds[name]}
                if name in TIMED:
                    continue
                steps = STEPS[preset]
                if "model.flow.checkerboard" in keys:  # another model: as much time instead of as many steps
                    steps = round(steps * speeds[name]["median"])
                rows[name] |= _trained(preset, Path(run_dir) / f"{preset}_{name}", keys, steps, say)
    return {
        "workload": "variants",
        "command": f"bin/benchmark.py variants --run_dir={run_dir}",
        "presets": found,
        "checks": list(_checks(found)),
        "rounds": rounds,
        "machine": machine.describe(("tensorflow", "keras")),
        "others": bystanders.share,
    }


def _words(keys):
    return [f"{key}={value}" for key, value in keys.items()]


def _step_speeds(configs, rounds, seconds, say):
    first, *_ = configs
    with contextlib.ExitStack() as running:
        workers = {}
        for name, config in configs.items():
            say(f"start: {name}")
            arguments = {"config": config.to_json(), "batch": config.train.batch_size, "train": True}
            workers[name] = running.enter_context(Worker("model", arguments))
        speeds = interleaved(workers, [(name, "train") for name in workers], rounds, seconds, say)
        steps = {name: int(worker.value("train")["steps"]) for name, worker in workers.items()}
    return {name: speeds.ratio((name, "train"), (first, "train"), steps[name], steps[first]) for name in configs}


def _trained(preset, run_dir, keys, steps, say):
    """The test split's figures of a run, which goes on with its own steps where it is there."""
    new = [f"--preset={preset}", *(f"--set={word}" for word in _words(keys | _length(steps)))]
    line = [sys.executable, str(ROOT / "bin" / "train.py"), f"--run_dir={run_dir}", "--noprogress"]
    line += [] if (run_dir / "config.json").exists() else new
    say(f"train {run_dir}")
    done = json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)
    return {
        "steps": RunDir(run_dir).config.train.steps,
        "bits_per_dim": done["bits_per_dim"],
        "standard_error": done["standard_error"],
    }


def _length(steps):
    return {"train.steps": steps, "train.evaluate_every": max(1, steps // 10)}


def _checks(found):
    step = {name: row["step"]["median"] for name, row in found["realnvp_fashion_mnist"].items()}
    faster = step["float32"] / step["masked_float32"]
    yield report.at_least("a packed step in float32, times as fast as a masked one", faster, FASTER)
    for preset, other in (("realnvp_fashion_mnist", "float32"), ("realnvp_digits", "bfloat16")):
        first, *_ = found[preset].values()
        apart = abs(first["bits_per_dim"] - found[preset][other]["bits_per_dim"])
        yield report.at_most(f"{preset}, bits/dim between bfloat16 and float32", apart, BITS)


def _scored(row):
    if "steps" not in row:
        return ["–", "–"]
    return [f"{row['steps']:,}", f"{row['bits_per_dim']:.3f} ± {row['standard_error']:.3f}"]


def section(result) -> str:
    return "variants"


def markdown(result) -> str:
    """The section of docs/performance.md."""
    rows = [
        [
            f"`{preset}`, {name.replace('_', ' ')}",
            ", ".join(f"`{word}`" for word in _words(VARIANTS[preset][name])) or "as it is",
            report.ratio(row["step"]),
            *_scored(row),
        ]
        for preset, variants in result["presets"].items()
        for name, row in variants.items()
    ]
    return "\n\n".join(
        [
            "## Variants: what they gain and cost",
            f"    {result['command']}",
            table(["run", "changed", "speed of a step", "steps", "test bits/dim"], rows),
            f"Steps are timed in turn, against the first of each preset: the median of {result['rounds']} rounds, and "
            "their ends. Each run is trained to the end of its own schedule, from the same seed; the masked one, "
            "another model, has as many steps as the packed one's time allows.",
            report.machine(result["machine"], result["others"]),
            report.checks(result["checks"]),
        ]
    )
