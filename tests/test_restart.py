"""A run that is killed at any moment, whose files rot, or whose disk fills goes on, and ends as if nothing had been."""

import random
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from brief import assert_same_files, brief, train
from commands import EVERY, STEPS, TRAIN_DIGITS, digits_run, figures, finish, leftovers, start, when

from nvp_tf.errors import ResumeLater, UserError
from nvp_tf.evaluation.evaluator import Evaluator
from nvp_tf.runs.run_dir import RunDir

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
    """Of which some fall into start-up, the first steps' tracing, evaluations and writes."""
    run, chance = RunDir(tmp_path / "run"), random.Random(7)
    process, began = start("train", *OFTEN, f"--run_dir={run.path}"), time.monotonic()
    when(process, run.checkpoints().list)
    until_the_first = time.monotonic() - began
    for _ in range(10):
        process.kill()
        finish(process)
        reached = run.checkpoints().list()[-1].step
        process = start("train", *OFTEN, f"--run_dir={run.path}")
        if chance.random() < 0.3:
            time.sleep(chance.uniform(0, until_the_first))
        else:
            when(process, lambda reached=reached: run.checkpoints().list()[-1].step > min(reached, STEPS - 1))
            time.sleep(chance.uniform(0, 0.5))
    process.kill()
    finish(process)
    figures("train", *OFTEN, f"--run_dir={run.path}")
    assert_same_end(run.path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A brief run that nothing happened to; to be read only."""
    return train(brief(), tmp_path_factory.mktemp("whole"))


def flipped(position):
    def damage(content):
        at = int(position * (len(content) - 1))
        return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

    return damage


DAMAGE = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "cut_at_the_end": lambda content: content[:-1],
    "longer": lambda content: content + b"x",
    "of_zeros": lambda content: bytes(len(content)),
    **{f"flipped_{position}": flipped(position) for position in (0.0, 0.3, 0.6, 0.99, 1.0)},
}


def test_a_corrupt_checkpoint_is_noticed(whole, tmp_path, capfd):
    *_, before, last = whole.checkpoints().list()
    assert (before.step, last.step) == (4, 6)
    with np.load(whole.checkpoints().folder / before.name) as arrays:
        expected = [arrays[str(i)] for i in range(len(arrays) - 1)]
    for name, damage in DAMAGE.items():
        shutil.copytree(whole.path, tmp_path / name)
        checkpoints = RunDir(tmp_path / name).checkpoints()
        file = checkpoints.folder / last.name
        file.write_bytes(damage(file.read_bytes()))
        found = [Variable(value.shape) for value in expected]
        assert checkpoints.load(found).step == 4, name
        assert all(a.value.tobytes() == b.tobytes() for a, b in zip(found, expected, strict=True))
        assert f"warning: {file} is corrupt" in capfd.readouterr().err and not file.exists()
        other = checkpoints.folder / before.name
        other.write_bytes(damage(other.read_bytes()))
        with pytest.raises(UserError, match="each of its 1 checkpoints is corrupt: choose another run_dir"):
            checkpoints.load(found)
        assert other.exists()


class Variable:
    def __init__(self, shape):
        self.shape, self.value = shape, None

    def assign(self, value):
        self.value = value


def test_goes_on_from_the_checkpoint_before(whole, tmp_path):
    shutil.copytree(whole.path, tmp_path / "run")
    run = RunDir(tmp_path / "run")
    file = run.checkpoints().folder / run.checkpoints().list()[-1].name
    file.write_bytes(file.read_bytes()[:-1000])
    (run.path / "metrics.csv").write_text("nonsense")
    assert_same_files(train(brief(), run.path), whole)
    assert [c.step for c in run.checkpoints().list()] == [4, 6]


def test_another_model_and_another_process_are_refused(whole, tmp_path):
    checkpoints = whole.checkpoints()
    with pytest.raises(UserError, match=r"step-00000006-evaluated.npz is of another model: choose another run_dir"):
        checkpoints.load([Variable((3,))])
    run = RunDir.create(tmp_path / "run", brief())
    (run.path / "partial-1-metrics.csv").write_text("what the other process writes just now")
    with run.locked(), pytest.raises(UserError, match="run is being trained by another process"):
        (run.path / "partial-2-metrics.csv").write_text("")
        train(brief(), run.path)
    assert leftovers(run.path) == [str(run.path / "partial-2-metrics.csv")]


@pytest.mark.slow
def test_the_last_few_are_kept(tmp_path):
    run = train(brief("train.checkpoint_minutes=1e-9", "train.keep_checkpoints=3"), tmp_path)
    assert [(c.step, c.evaluated) for c in run.checkpoints().list()] == [(2, True), (4, True), (6, True)]


def test_stopped_amid_an_evaluation_it_is_done_again(whole, tmp_path, monkeypatch):
    calls = []

    def struck(self, *args, evaluate=Evaluator.evaluate, **kwargs):
        calls.append(1)
        if len(calls) == 3:  # the first is of the untrained model
            signal.raise_signal(signal.SIGTERM)
        return evaluate(self, *args, **kwargs)

    monkeypatch.setattr(Evaluator, "evaluate", struck)
    with pytest.raises(ResumeLater, match="stopped after step 4: the same command"):
        train(brief(), tmp_path)
    run = RunDir(tmp_path)
    assert [(c.step, c.evaluated) for c in run.checkpoints().list()] == [(0, True), (2, True), (4, False)]
    assert [row["step"] for row in run.read_metrics()] == [2]
    assert_same_files(train(brief(), tmp_path), whole)


@pytest.mark.parametrize("kilobytes", [16, 60, 160])
def test_a_full_disk_is_one_line_and_the_last_checkpoint_stays(kilobytes, whole, tmp_path):
    """A real one, of memory; small enough that the first, or some later file does not fit."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        with pytest.raises(UserError) as caught:
            train(brief(), tmp_path / "run")
        said = str(caught.value)
        assert "cannot be written at step" in said and "No space left on device; the same command" in said, said
        assert "\n" not in said and not leftovers(tmp_path)
        saved = [c.step for c in RunDir(tmp_path / "run").checkpoints().list()]
        assert (f"from the checkpoint of step {saved[-1]}, which" if saved else "begins anew") in said
        subprocess.run(["mount", "-o", "remount,size=9m", str(tmp_path)], check=True)
        assert_same_files(train(brief(), tmp_path / "run"), whole)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
