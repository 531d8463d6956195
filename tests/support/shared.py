"""What takes long to make, made once a test run, whichever of its processes needs it first."""

import fcntl
import os
import shutil
import tempfile
import uuid
from pathlib import Path

_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex  # workers of one run share it
FOLDER = Path(tempfile.gettempdir()) / f"nvp_tf-tests-{_RUN}"


def made_once(name, make):
    """The folder `name`, which `make(folder)` fills in the first process that asks; to be read only."""
    folder = FOLDER / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            # Made where it will be: what a command prints, and a run's own files, name their folder.
            try:
                folder.mkdir()
                make(folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return folder


def remove():
    """At the end of a test run, by the process that began it."""
    shutil.rmtree(FOLDER, ignore_errors=True)
