"""Several processes train as one: the same steps, whoever is killed."""

import json
import random
import signal
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from addresses import addresses
from commands import ENVIRONMENT, ROOT, finish
from sgd import assert_same_steps, sgd_config, sgd_steps
from warm import Command

from nvp_tf.data.registry import load_dataset
from nvp_tf.runs.run_dir import RunDir

EVERY, STEPS = 150, 450
VECTORS = [
    *("--preset=realnvp_two_moons", "--strategy=multiworker", "--worker_timeout=200", "--noprogress"),
    *(f"--set=model.flow.{key}" for key in ("couplings=2", "hidden_layers=1", "hidden_units=8", "batch_norm=true")),
    *(f"--set=train.{key}" for key in (f"steps={STEPS}", f"evaluate_every={EVERY}", "batch_size=31", "ema_decay=0.9")),
    *("--set=train.checkpoint_minutes=1e-9", "--set=train.recompute_statistics=3"),
]


def tf_config(cluster, index):
    return {"TF_CONFIG": json.dumps({"cluster": {"worker": cluster}, "task": {"type": "worker", "index": index}})}


def slurm(count, index, job):
    """What Slurm's srun sets, for tasks that are all here."""
    step = {"SLURM_STEP_NODELIST": "localhost", "SLURM_STEP_TASKS_PER_NODE": str(count)}
    return step | {"SLURM_JOB_ID": str(job), "SLURM_PROCID": str(index)}


def start(script, environment, *arguments):
    """A process that is a worker of a cluster."""
    return Command(ROOT / script, arguments, ENVIRONMENT | environment)


def train_two(run_dir):
    cluster = addresses(2)
    return [start("bin/train.py", tf_config(cluster, k), *VECTORS, f"--run_dir={run_dir}") for k in range(2)]


def after_step(run_dir, step, processes):
    """Waits until a checkpoint of a later step is there."""
    deadline = time.monotonic() + 3600  # against a hang alone
    while not any(checkpoint.step >= step for checkpoint in RunDir(run_dir).checkpoints().list()):
        ended = [finish(process) for process in processes if process.poll() is not None]
        assert not ended and time.monotonic() < deadline, ended
        time.sleep(0.01)


def test_two_workers_are_one(tmp_path):
    """7 examples are 4 and 3; clipping, penalty, average, statistics, losses and scores are of all of them."""
    config = sgd_config(clip_norm=0.5)
    (tmp_path / "config.json").write_text(config.to_json())
    job, files = random.SystemRandom().randrange(10000), [tmp_path / f"{index}.npz" for index in range(2)]
    tasks = [slurm(2, index, job) for index in range(2)]
    processes = [start("tests/support/sgd.py", tasks[k], tmp_path / "config.json", files[k]) for k in range(2)]
    alone = sgd_steps(config, tf.distribute.get_strategy(), load_dataset(config.data), steps=20)
    ended = [finish(process) for process in processes]
    assert [status for status, *_ in ended] == [0, 0], ended
    first, second = (dict(np.load(file)) for file in files)
    assert (list(first.pop("sizes")), list(second.pop("sizes"))) == ([4], [3])
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert_same_steps(alone, first, clip_norm=0.5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run of two workers that nothing happened to."""
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    processes = train_two(run_dir)
    yield run_dir, processes
    for process in processes:
        process.kill()


def assert_ends_as(run_dir, whole):
    """Goes on to the end, which is that of the whole run to the bit."""
    ended = [finish(process) for process in train_two(run_dir)]
    assert [status for status, *_ in ended] == [0, 0], ended
    assert len({json.loads(out)["log_prob"] for _, out, _ in ended}) == 1
    assert_ended_as(run_dir, whole)


def assert_ended_as(run_dir, whole):
    whole_dir, whole_processes = whole
    for process in whole_processes:
        assert process.wait(240) == 0
    run, other = RunDir(run_dir), RunDir(whole_dir)
    assert (run.path / "metrics.csv").read_bytes() == (other.path / "metrics.csv").read_bytes()
    assert [row["step"] for row in run.read_metrics()] == list(range(EVERY, STEPS + 1, EVERY))
    for which in ("best", "last"):
        pairs = zip(*(each.load_flow(which).get_weights() for each in (run, other)), strict=True)
        assert all(a.tobytes() == b.tobytes() for a, b in pairs)


CASES = [  # victim, signal, seconds until the other ends too on a quiet machine, its status and words
    pytest.param(1, signal.SIGKILL, 30, 75, "worker 0 stopped, since another one ended or is silent"),
    pytest.param(0, signal.SIGKILL, 30, 75, "worker 1 stopped, since another", marks=pytest.mark.slow),
    pytest.param(1, signal.SIGSTOP, 60, 75, "worker 0 stopped, since another", marks=pytest.mark.slow),
    pytest.param(0, signal.SIGSTOP, 60, 75, "worker 1 stopped, since another", marks=pytest.mark.slow),
    pytest.param(1, signal.SIGTERM, 30, 75, "stopped after step", marks=pytest.mark.slow),
    pytest.param(0, signal.SIGTERM, 30, 75, "stopped after step", marks=pytest.mark.slow),
    pytest.param(1, signal.SIGINT, 30, 130, "stopped after step", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("victim", "number", "seconds", "status", "words"), CASES)
def test_one_of_two_is_struck(victim, number, seconds, status, words, whole, tmp_path):
    processes = train_two(tmp_path / "run")
    after_step(tmp_path / "run", EVERY + 1, processes)
    processes[victim].send_signal(number)
    began, other = time.monotonic(), processes[1 - victim]
    found, out, err = finish(other)
    assert (found, out) == (status, "") and time.monotonic() - began < 10 * seconds, err
    assert words in err.splitlines()[-1] and "Traceback" not in err, err
    if number == signal.SIGSTOP:
        processes[victim].kill()
    assert finish(processes[victim])[0] in (status, -signal.SIGKILL)
    assert_ends_as(tmp_path / "run", whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("index", "words"),
    [
        (0, "is not a run (it has no config.json) and is not empty"),
        (1, "worker 1 and the chief train different things"),
    ],
)
def test_a_mistake_in_one_of_them_ends_the_other(index, words, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("")
    cluster, run_dir = addresses(2), [tmp_path / ("run" if index == 0 else "new"), tmp_path / "unused"]
    mistake = [] if index == 0 else ["--set=train.learning_rate=0.5"]
    arguments = [[*VECTORS, f"--run_dir={run_dir[k]}", *(mistake if k == index else [])] for k in range(2)]
    ended = [
        finish(process) for process in [start("bin/train.py", tf_config(cluster, k), *arguments[k]) for k in range(2)]
    ]
    assert [ended[index][0], ended[1 - index][0]] == [2, 75], ended
    assert words in ended[index][2] and "Traceback" not in ended[0][2] + ended[1][2], ended
    assert not run_dir[1].exists()


@pytest.mark.slow
def test_workers_that_are_started_again_whenever_they_end(whole, tmp_path):
    """As by Kubernetes: each by itself, at once, while the other may not know yet."""
    cluster, running, ends = addresses(2), {}, []

    def keep(index):
        while True:
            running[index] = start("bin/train.py", tf_config(cluster, index), *VECTORS, f"--run_dir={tmp_path / 'run'}")
            status, _, err = finish(running[index])
            ends.append((index, status))
            said[index] = err
            if status == 0:
                return

    said = {}
    keepers = [threading.Thread(target=keep, args=(index,)) for index in range(2)]
    for keeper in keepers:
        keeper.start()
    chance = random.Random(1)
    for _ in range(6):
        time.sleep(chance.uniform(5, 25))
        running[chance.randrange(2)].kill()
    for keeper in keepers:
        keeper.join(400)
    assert [index for index, status in ends if status == 0] in ([0, 1], [1, 0]), (ends, said)
    assert {status for _, status in ends} <= {0, 75, -signal.SIGKILL}, (ends, said)
    assert_ended_as(tmp_path / "run", whole)
