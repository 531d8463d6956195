"""A run that is killed at any moment, whose files rot, or whose disk fills goes on, and ends as if nothing had been."""

import random
import signal
import time

import numpy as np
import pytest
from commands import EVERY, STEPS, TRAIN_DIGITS, digits_run, figures, finish, leftovers, start, when

from nvp_tf.run_dir import RunDir

# A checkpoint after each step: most of the time one is being written.
OFTEN = [*TRAIN_DIGITS, "--set=train.checkpoint_minutes=1e-9"]


def assert_same_end(folder):
    """As the run that nothing happened to: every weight to the bit, every metric to the byte."""
    whole = digits_run()[0]
    ours, theirs = (weights_of(RunDir(run)) for run in (folder, whole))
    assert ours.keys() == theirs.keys() and len(ours) > 100
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert (folder / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    assert [row["step"] for row in RunDir(folder).read_metrics()] == list(range(EVERY, STEPS + 1, EVERY))
    assert not leftovers(folder)


def weights_of(run):
    """The bytes of every variable of the last checkpoint and of the weights that a run keeps."""
    with np.load(run.checkpoints().folder / run.checkpoints().list()[-1].name) as arrays:
        found = {f"state/{name}": array.tobytes() for name, array in arrays.items() if name != "progress"}
    for which in ("best", "last"):
        flow = run.load_flow(which)
        found |= {f"{which}/{i}": weight.tobytes() for i, weight in enumerate(flow.get_weights())}
    return found


def test_killed_while_it_writes_then_told_to_stop(tmp_path):
    run = RunDir(tmp_path / "run")
    checkpoints = run.checkpoints()

    def being_written_after(step):
        written = [c.step for c in checkpoints.list()]
        return any(checkpoints.folder.glob("partial-*")) and written and max(written) >= step

    process = start("train", *OFTEN, f"--run_dir={run.path}")
    when(process, lambda: being_written_after(EVERY + 1))
    process.send_signal(signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL
    killed_at = checkpoints.list()[-1].step
    assert EVERY < killed_at < STEPS and leftovers(run.path)

    process = start("train", *OFTEN, f"--run_dir={run.path}")
    when(process, lambda: checkpoints.list()[-1].step > killed_at)
    process.send_signal(signal.SIGTERM)
    status, out, err = finish(process)
    stopped_at = checkpoints.list()[-1].step
    assert (status, out) == (75, "") and killed_at < stopped_at <= STEPS
    assert err.splitlines()[-1] == f"stopped after step {stopped_at}: the same command goes on from there"

    assert figures("train", f"--run_dir={run.path}", "--noprogress")["steps"] == STEPS
    assert_same_end(run.path)


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    """Ten times, of which some fall into start-up, the first steps' tracing, evaluations and writes."""
    run, chance = RunDir(tmp_path / "run"), random.Random(7)
    seconds = None
    for _ in range(10):
        began = time.monotonic()
        process = start("train", *OFTEN, f"--run_dir={run.path}")
        if seconds is None:
            when(process, lambda: run.checkpoints().list())
            seconds = time.monotonic() - began
        else:
            time.sleep(chance.uniform(0.7, 1.3) * seconds)
        process.kill()
        print(finish(process)[0], [c.step for c in run.checkpoints().list()])
    figures("train", *OFTEN, f"--run_dir={run.path}")
    assert_same_end(run.path)
