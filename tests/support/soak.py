"""Two long runs of one config side by side, one of them killed at random moments: are they the same run?

python tests/support/soak.py FOLDER --set=train.steps=8000

trains FOLDER/unbroken and FOLDER/killed, prints as JSON whether every byte of their metrics and weights is equal, and
draws both curves into FOLDER/soak.png. A soak that was stopped goes on with the same command.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parent)]
from commands import ENVIRONMENT, ROOT
from test_restart import weights_of

from nvp_tf.pictures.layout import new_figure, save, to_picture
from nvp_tf.runs.run_dir import RunDir

SAMPLED = 10  # seconds
NAMES = ("unbroken", "killed")
STEP = re.compile(rb"step ([\d,]+) of ([\d,]+)")


class Soak:
    """Both runs, and what was seen of them: `samples` [seconds, name, step] and `kills` [seconds, step]."""

    def __init__(self, folder, arguments, kills, seed):
        self.folder, self.arguments, self.record = folder, arguments, folder / "soak.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.seen = {"seconds": 0.0, "samples": [], "kills": []}
        if self.record.exists():
            self.seen = json.loads(self.record.read_text())
        self.began = time.monotonic() - self.seen["seconds"]
        chance = random.Random(seed)
        # Where in a run it is killed: after so large a part of its steps, and some seconds.
        self.due = [(part, chance.uniform(0, 60)) for part in sorted(chance.random() for _ in range(kills))]

    def run(self):
        processes = {name: self._start(name) for name in NAMES}
        try:
            self._watch(processes)
        finally:
            for process in processes.values():
                process.terminate()  # saves what it did
                process.wait()
        failed = {name: process.returncode for name, process in processes.items() if process.returncode}
        if failed:
            raise SystemExit(f"ended with {failed}: see {self.folder}/*.log; the same command goes on")

    def _watch(self, processes):
        reached = None
        while any(process.poll() is None for process in processes.values()):
            time.sleep(SAMPLED)
            self._sample(processes)
            if len(self.seen["kills"]) == len(self.due):
                continue
            part, seconds = self.due[len(self.seen["kills"])]
            step, steps = self._told("killed")
            if reached is None and step >= part * steps:
                reached = time.monotonic()
            if reached is not None and time.monotonic() > reached + seconds:
                processes["killed"].kill()
                processes["killed"].wait()
                self.seen["kills"].append([self.seen["seconds"], step])
                processes["killed"], reached = self._start("killed"), None

    def _start(self, name):
        line = [sys.executable, str(ROOT / "bin" / "train.py"), *self.arguments, f"--run_dir={self.folder / name}"]
        with self._log(name).open("ab") as log:
            return subprocess.Popen(line, env=ENVIRONMENT, stdout=log, stderr=log)

    def _sample(self, processes):
        self.seen["seconds"] = time.monotonic() - self.began
        for name, process in processes.items():
            if process.poll() is None:
                self.seen["samples"].append([self.seen["seconds"], name, self._told(name)[0]])
        self.record.write_text(json.dumps(self.seen))

    def _log(self, name):
        return self.folder / f"{name}.log"

    def _told(self, name):
        """The last step that the run told of, and of how many."""
        with self._log(name).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
            found = STEP.findall(log.read())
        return tuple(int(number.replace(b",", b"")) for number in found[-1]) if found else (0, 1)

    def compare(self) -> dict:
        """What the JSON line says."""
        unbroken, killed = (RunDir(self.folder / name) for name in NAMES)
        ours, theirs = weights_of(killed), weights_of(unbroken)
        different = [name for name in theirs if ours.get(name) != theirs[name]]
        return {
            "hours": round(self.seen["seconds"] / 3600, 2),
            "kills": len(self.seen["kills"]),
            "steps": unbroken.config.train.steps,
            "variables": len(theirs),
            "variables_that_differ": different,
            "metrics_equal": (killed.path / "metrics.csv").read_bytes() == (unbroken.path / "metrics.csv").read_bytes(),
            "valid_bits_per_dim": unbroken.read_metrics()[-1]["valid_bits_per_dim"],
        }

    def draw(self):
        figure, axes = new_figure((6.5, 6), rows=2)
        above, below = axes[:, 0]
        for name, style in zip(NAMES, ({"linewidth": 5, "color": "0.75"}, {"color": "tab:blue"}), strict=True):
            rows = RunDir(self.folder / name).read_metrics()
            values = [row["valid_bits_per_dim"] for row in rows]
            above.plot([row["step"] for row in rows], values, label=name, **style)
            seen = [(seconds / 3600, step) for seconds, which, step in self.seen["samples"] if which == name]
            below.plot(*zip(*seen, strict=True), label=name, **style)
        for i, (seconds, step) in enumerate(self.seen["kills"]):
            told = {"color": "tab:red", "marker": "x", "linestyle": "none", "label": "kill -9" if i == 0 else None}
            below.plot([seconds / 3600], [step], **told)
            above.axvline(step, color="tab:red", linewidth=0.8, linestyle=":")
        above.set(xlabel="step", ylabel="validation bits/dim")
        below.set(xlabel="hours", ylabel="step")
        for place in (above, below):
            place.legend(fontsize=8)
        save(to_picture(figure), self.folder / "soak.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--preset", default="realnvp_fashion_mnist")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    arguments = [f"--preset={given.preset}", *(f"--set={key}" for key in given.set)]
    soak = Soak(given.folder, arguments, given.kills, given.seed)
    soak.run()
    soak.draw()
    print(json.dumps(soak.compare()))
