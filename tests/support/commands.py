"""Commands in processes of their own, and the one tiny run that the system tests share."""

import functools
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from shared import made_once
from warm import Command

ROOT = Path(__file__).resolve().parents[2]
TINY = [f"--set=model.flow.{key}" for key in ("filters=4", "blocks=1", "couplings=1")]
STEPS, EVERY = 24, 8
# Warm-up and l2 as in the preset; a rate that moves weights in so few steps.
BRIEF = [f"--set=train.{key}" for key in (f"steps={STEPS}", f"evaluate_every={EVERY}", "batch_size=32")]
TRAIN_DIGITS = ["--preset=realnvp_digits", *TINY, *BRIEF, "--noprogress"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def start(command, *arguments):
    """A process of bin/<command>.py that need not import TensorFlow first."""
    return Command(ROOT / "bin" / f"{command}.py", arguments, ENVIRONMENT)


def start_cold(command, *arguments, environment=ENVIRONMENT):
    """A process of bin/<command>.py as a person starts it."""
    line = [sys.executable, str(ROOT / "bin" / f"{command}.py"), *map(str, arguments)]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    """(exit status, stdout, stderr)."""
    out, err = process.communicate(timeout=3600)
    return process.returncode, out, err


def run(command, *arguments):
    return finish(start(command, *arguments))


def run_without_tensorflow(folder, command, *arguments):
    """`run` where TensorFlow cannot be imported: what is answered all the same is answered at once."""
    (folder / "tensorflow").mkdir(parents=True, exist_ok=True)
    (folder / "tensorflow" / "__init__.py").write_text("raise SystemError('TensorFlow was imported')")
    environment = ENVIRONMENT | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return finish(start_cold(command, *arguments, environment=environment))


def figures(command, *arguments):
    """What a command that succeeds prints: one line of JSON, and nothing else on stdout."""
    status, out, err = run(command, *arguments)
    assert status == 0, err
    assert not re.search(r"^[IWE]\d{4} |^WARNING", err, re.MULTILINE), err  # stderr is the command's own
    [line] = out.splitlines()
    return json.loads(line)


def error_line(result):
    """The one line of a command that refuses: status 2, nothing on stdout, no traceback."""
    status, out, err = result
    assert (status, out) == (2, ""), err
    assert "Traceback" not in err
    line = err.splitlines()[-1]
    assert line.startswith("error: ") and err.count("error: ") == 1, err
    return line


def when(process, happened):
    """Waits until `happened()`; fails where the process ends first."""
    deadline = time.monotonic() + 3600
    while not happened():
        assert process.poll() is None and time.monotonic() < deadline, finish(process)
        time.sleep(0.001)


def consume(script, *arguments, cwd):
    """A stranger's process: isolated, elsewhere, without this package on its path."""
    line = [sys.executable, "-I", "-c", script, *map(str, arguments)]
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@functools.cache
def digits_run():
    """(run_dir, what bin/train.py printed) of an uninterrupted tiny run, to be read only."""

    def make(folder):
        printed = figures("train", *TRAIN_DIGITS, f"--run_dir={folder / 'run'}")
        (folder / "printed.json").write_text(json.dumps(printed))

    folder = made_once("digits", make)
    return folder / "run", json.loads((folder / "printed.json").read_text())


@functools.cache
def digits_export():
    """(model's folder, what bin/export.py printed) of that run, to be read only."""

    def make(folder):
        printed = figures("export", f"--run_dir={digits_run()[0]}", f"--export_dir={folder / 'model'}")
        (folder / "printed.json").write_text(json.dumps(printed))

    folder = made_once("digits-export", make)
    return folder / "model", json.loads((folder / "printed.json").read_text())


def leftovers(folder):
    return [str(path) for path in Path(folder).rglob("*partial*")]
