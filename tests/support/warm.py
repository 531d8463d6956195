"""Processes of commands forked from one that has imported TensorFlow, which is half of the time of a small command."""

import functools
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_IMPORTED = ["imported", "warm"]


class Command:
    """A script of this checkout as a process of its own; of `subprocess.Popen` what tests need."""

    def __init__(self, script, arguments, environment):
        self._folder = tempfile.TemporaryDirectory()
        self._files = [Path(self._folder.name) / name for name in ("out", "err")]
        line = [str(script), *map(str, arguments)]
        self._process = _forks().Process(target=_become, args=(line, environment, self._files))
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def send_signal(self, number):
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self):
        self._process.kill()

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return self.returncode

    def communicate(self, timeout=None):
        self.wait(timeout)
        return tuple(file.read_text() for file in self._files)


@functools.cache
def _forks():
    """The server that forks, started where it finds what it is to import."""
    context, kept = multiprocessing.get_context("forkserver"), os.environ.copy()
    context.set_forkserver_preload(_IMPORTED)
    os.environ |= {"PYTHONPATH": os.pathsep.join((str(ROOT), str(Path(__file__).parent))), "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(kept)
    return context


def _become(line, environment, files):
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    sys.argv, sys.path[0] = line, str(Path(line[0]).parent)
    runpy.run_path(line[0], run_name="__main__")
