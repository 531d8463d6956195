"""A contender's process, seen from the benchmark's."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nvp_tf.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}  # of whatever interpreter: this folder is no part of the package
_FOLDER = Path(__file__).parent


class Worker:
    """Starts a process that loads a contender; a context that ends it.

    Args:
      contender: a file's name in contenders/, without .py.
      arguments: of its `load`; JSON.
      python: the interpreter of its environment.

    Attributes:
      seconds_to_first: from the process' start to the end of the first call.

    Raises:
      UserError: what the process said last, where it ended early.
    """

    def __init__(self, contender, arguments, python=sys.executable):
        self.name = contender
        line = [str(python), "-P", str(_FOLDER / "worker.py"), str(_FOLDER / "contenders" / f"{contender}.py")]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [*line, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=ENVIRONMENT,
            text=True,
            bufsize=1,
        )
        try:
            self._answer()
        except BaseException:
            self.close()
            raise
        self.seconds_to_first = time.perf_counter() - began

    def time(self, name, seconds=0.0) -> list[float]:
        """Seconds of each call of that function; calls for at least so many seconds, at least one."""
        return self._ask({"time": name, "seconds": seconds})["seconds"]

    def value(self, name) -> dict[str, np.ndarray]:
        """What a call of that function returns."""
        with tempfile.TemporaryDirectory() as folder:
            self._ask({"value": name, "file": f"{folder}/value.npz"})
            return dict(np.load(f"{folder}/value.npz"))

    def peak_memory(self) -> int:
        """The most that the process ever held, in bytes."""
        return self._ask({"memory": True})["bytes"]

    def close(self):
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _ask(self, request):
        with contextlib.suppress(BrokenPipeError):  # It has ended: reading says why.
            self._process.stdin.write(json.dumps(request) + "\n")
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        raise UserError(f"{self.name} ended with status {status}: {said[-1] if said else 'it said nothing'}")
