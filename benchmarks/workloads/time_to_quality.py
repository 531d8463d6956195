"""Fashion-MNIST: minutes until held-out bits/dim are what a Real NVP in PyTorch reaches in a quarter of an hour."""

import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import machine, peers, report
from benchmarks.process import ROOT, Worker
from nvp_tf import cli
from nvp_tf.config.presets.registry import get_preset
from nvp_tf.config.schema import Config, ModelConfig, PixelsConfig, RealNVPConfig
from nvp_tf.files import write_text
from nvp_tf.markdown import table
from nvp_tf.pictures.layout import new_figure, save, to_picture
from nvp_tf.runs.run_dir import RunDir

OURS = "realnvp_fashion_mnist"
MOST = 1 / 3  # of the peer's time

# Two scales of 32 maps and 4 blocks, masked; its pixels as in the thesis.
_THEIRS = ModelConfig((28, 28, 1), RealNVPConfig(scales=2, filters=32, blocks=4), PixelsConfig(alpha=0.05))


def run(run_dir, minutes=15.0, steps=1200, picture=None, say=print) -> dict:
    """Trains the peer, then ours, with the machine to itself each.

    Args:
      run_dir: a folder for both curves; one that is there is not made again.
      minutes: of the peer's training.
      steps: of ours; its learning rate falls to 0 at the last of them.
      picture: a file for both curves, or None.
      say: called with lines of progress.

    Returns:
      curves: of `PyTorch` and `nvp_tf`, minutes, images and bits_per_dim of each score on the way, and the share of
      the processor that `others` used; scoring is not in the minutes, our compilation of the graph is. target: the
      peer's best score. reached: our minutes until a score as good, or None. time: their ratio, to the peer's
      minutes until its best.
    """
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    theirs = _kept(folder / "pytorch.json", lambda: _theirs(minutes, say))
    ours = _kept(folder / "nvp_tf.json", lambda: _ours(folder / "nvp_tf", steps, say))
    curves = {"PyTorch": theirs, "nvp_tf": ours}
    best = int(np.argmin(theirs["bits_per_dim"]))
    target = theirs["bits_per_dim"][best]
    reached = [minutes for minutes, bits in zip(ours["minutes"], ours["bits_per_dim"], strict=True) if bits <= target]
    if picture:
        save(_picture(curves, target), picture)
    return {
        "workload": "time_to_quality",
        "command": f"bin/benchmark.py time_to_quality --run_dir={run_dir}",
        "curves": curves,
        "target": target,
        "reached": reached[0] if reached else None,
        "time": reached[0] / theirs["minutes"][best] if reached else None,
        "picture": picture and str(picture),
        "machine": machine.describe(("tensorflow", "keras", "torch"), peers.pythons()),
        "others": max(curve["others"] for curve in curves.values()),
    }


def _kept(file, make):
    if not file.exists():
        with machine.Bystanders() as bystanders:
            curve = make()
        write_text(file, json.dumps(curve | {"others": bystanders.share}) + "\n")
    return json.loads(file.read_text())


def _theirs(minutes, say):
    cli.quiet_tensorflow()
    from nvp_tf.data.registry import load_dataset

    preset = get_preset(OURS).config
    # The peer mirrors images itself.
    config = Config(_THEIRS, dataclasses.replace(preset.data, flips=False), preset.train)
    splits = load_dataset(config.data)
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/data.npz"
        np.savez(file, train=_images(splits.train), valid=_images(splits.valid))
        say(f"PyTorch: {minutes:g} minutes of training")
        arguments = {"config": config.to_json(), "data": file, "minutes": minutes, "every": minutes / 12}
        with Worker("torch_training", arguments, str(peers.PYTHON)) as worker:
            return {name: values.tolist() for name, values in worker.value("curve").items()}


def _images(split):
    from nvp_tf.data.pipeline import evaluation_batches

    return np.concatenate(list(evaluation_batches(split, 1000)))


def _ours(run_dir, steps, say):
    say(f"nvp_tf: {steps} steps")
    keys = [f"--set=train.{key}" for key in (f"steps={steps}", f"evaluate_every={steps // 10}")]
    line = [sys.executable, str(ROOT / "bin" / "train.py"), f"--preset={OURS}", f"--run_dir={run_dir}", *keys]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    run = RunDir(run_dir)
    rows, batch = run.read_metrics(), run.config.train.batch_size
    return {
        "minutes": [row["minutes"] for row in rows],
        "images": [row["step"] * batch for row in rows],
        "bits_per_dim": [row["valid_bits_per_dim"] for row in rows],
    }


def _picture(curves, target):
    figure, [[axes]] = new_figure((6.5, 3.6))
    for name, curve in curves.items():
        axes.plot(curve["minutes"], curve["bits_per_dim"], "o-", markersize=3, label=name)
    axes.axhline(target, color="0.7", linewidth=0.8, zorder=0)
    axes.set(xlabel="minutes of training", ylabel="held-out bits/dim, Fashion-MNIST")
    axes.legend()
    return to_picture(figure)


def section(result) -> str:
    return "time_to_quality"


def markdown(result) -> str:
    """The section of docs/performance.md."""
    ours = result["curves"]["nvp_tf"]
    rows = [
        [name, f"{curve['minutes'][-1]:.1f}", f"{curve['images'][-1] / curve['minutes'][-1] / 60:.0f}",
         f"{min(curve['bits_per_dim']):.3f}", f"{curve['bits_per_dim'][-1]:.3f}"]
        for name, curve in result["curves"].items()
    ]  # fmt: skip
    if result["reached"] is None:
        said = f"{min(ours['bits_per_dim']):.3f}: **not reached**"
    else:
        holds = "holds" if result["time"] <= MOST else "**does not hold**"
        said = f"{result['reached']:.1f} minutes, {result['time']:.2f}x its time, expected at most {MOST:.2f}: {holds}"
    shown = [f"![Both curves](images/{Path(result['picture']).name})"] if result["picture"] else []
    return "\n\n".join(
        [
            "## Time to quality, Fashion-MNIST",
            f"    {result['command']}",
            table(["", "minutes", "images/s", "best bits/dim", "last bits/dim"], rows),
            *shown,
            f"PyTorch: a Real NVP of two scales, 32 maps and 4 blocks, trained as `torch_training.py` says. "
            f"nvp_tf: the preset `{OURS}`, its rate falling to 0 at the end. Both are scored on "
            "the same held-out images, which is not in the minutes. "
            + report.machine(result["machine"], result["others"]),
            f"- Until the peer's best, {result['target']:.3f} bits/dim: {said}",
        ]
    )
