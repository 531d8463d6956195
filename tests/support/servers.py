"""Stand-in servers, as processes without this package."""

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

STAND_IN = Path(__file__).with_name("stand_in.py")


@contextmanager
def stand_in(name, folder, trouble=0):
    """(process, {"grpc": port, "rest": port})."""
    line = [sys.executable, "-I", str(STAND_IN), name, str(folder), str(trouble)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def addresses(ports):
    return [f"grpc://localhost:{ports['grpc']}", f"http://localhost:{ports['rest']}"]
