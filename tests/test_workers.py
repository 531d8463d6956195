"""Several processes train as one: the same steps, whoever is killed; and how they find each other."""

import json
import random
import signal
import socket
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from commands import ENVIRONMENT, ROOT, finish
from sgd import assert_same_steps, sgd_config, sgd_steps
from warm import Command

from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.training.distributed.cluster import Cluster, counts_of, find_cluster, hosts_of
from nvp_tf.training.distributed.rendezvous import meet

EVERY, STEPS = 150, 450
VECTORS = [
    *("--preset=realnvp_two_moons", "--strategy=multiworker", "--worker_timeout=200", "--noprogress"),
    *(f"--set=model.flow.{key}" for key in ("couplings=2", "hidden_layers=1", "hidden_units=8", "batch_norm=true")),
    *(f"--set=train.{key}" for key in (f"steps={STEPS}", f"evaluate_every={EVERY}", "batch_size=31", "ema_decay=0.9")),
    *("--set=train.checkpoint_minutes=1e-9", "--set=train.recompute_statistics=3"),
]


def addresses(count):
    """That many on this machine whose ports are free."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return [f"localhost:{port}" for port in ports]


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


def test_slurms_short_forms():
    assert hosts_of("n[1-3,07],m5") == ["n1", "n2", "n3", "n07", "m5"]
    assert hosts_of("gpu[098-101]") == ["gpu098", "gpu099", "gpu100", "gpu101"]
    assert hosts_of("r[1-2]n[3-4]-ib,login") == ["r1n3-ib", "r1n4-ib", "r2n3-ib", "r2n4-ib", "login"]
    assert counts_of("2(x3),1") == [2, 2, 2, 1]


SLURM = {
    "SLURM_JOB_ID": "123456",
    "SLURM_PROCID": "3",
    "SLURM_STEP_NODELIST": "n[9-10],a1",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    "SLURMD_NODENAME": "n10",
}
TASKS = {"cluster": {"chief": ["a:1"], "worker": ["b:2", "[::1]:3"]}, "task": {"type": "worker", "index": 1}}


def test_clusters():
    """Slurm's nodes in its own order, which is that of its tasks."""
    assert find_cluster(SLURM) == Cluster(("n9:23456", "n9:23457", "n10:23456", "n10:23457", "a1:23456"), 3)
    assert find_cluster(SLURM | {"TF_CONFIG": json.dumps(TASKS)}) == Cluster(("a:1", "b:2", "[::1]:3"), 2)


def test_slurm_as_tensorflow_reads_it(monkeypatch):
    """Its resolver sorts nodes by name, which srun does not, and believes any rank: it is held to names in order."""
    sorted_nodes = {"SLURM_STEP_NODELIST": "a1,n[09-10]", "SLURM_STEP_TASKS_PER_NODE": "1,2(x2)"}
    for key, value in (SLURM | sorted_nodes | {"SLURM_STEP_NUM_TASKS": "5"}).items():
        monkeypatch.setenv(key, value)
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=23456, gpus_per_node=2, gpus_per_task=1, auto_set_gpu=False
    )
    ours = find_cluster(SLURM | sorted_nodes)
    assert list(ours.addresses) == resolver.cluster_spec().as_dict()["worker"]
    assert resolver.get_task_info() == ("worker", ours.index)


def tasks(**changes):
    return {"TF_CONFIG": json.dumps(TASKS | changes)}


REFUSED = [
    ({}, "neither TF_CONFIG nor SLURM_PROCID is set"),
    ({"TF_CONFIG": "{'cluster'"}, r"TF_CONFIG is not JSON \(Expecting property name.*\), expected {\"cluster\""),
    ({"TF_CONFIG": "[1]"}, r"TF_CONFIG is \[1\], expected {"),
    ({"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}}'}, "TF_CONFIG is {.*}, expected {"),
    (tasks(cluster={"worker": ["a:1"], "ps": ["b:1"]}), "a job 'ps', expected worker"),
    (tasks(cluster={"worker": ["a:1", "b"]}), "the addresses a:1, b, expected HOST:PORT"),
    (tasks(cluster={"worker": ["a:1", "a:1"]}), "the addresses a:1, a:1, expected HOST:PORT, each another one"),
    (
        tasks(task={"type": "worker", "index": 2}),
        "the task worker 2, expected one of its cluster, which has 1 chief and",
    ),
    (tasks(task={"type": "evaluator", "index": 0}), "the task evaluator 0, expected one"),
    (tasks(task={"type": "worker", "index": "0"}), "the task worker '0', expected one"),
    (SLURM | {"SLURM_STEP_TASKS_PER_NODE": "two"}, "SLURM_STEP_TASKS_PER_NODE is 'two', which is not what Slurm sets"),
    ({"SLURM_PROCID": "0"}, "SLURM_STEP_NODELIST is not set: start --strategy=multiworker by Slurm's srun"),
    (SLURM | {"SLURM_PROCID": "1"}, "SLURM_PROCID is 1 of 5 tasks, on n10: expected srun --distribution=block"),
]


@pytest.mark.parametrize(("environment", "message"), REFUSED)
def test_clusters_that_make_no_sense(environment, message):
    with pytest.raises(UserError, match=message):
        find_cluster(environment)


def meeting(cluster, indices, seconds):
    """{index: None or what it was refused with} of workers that come at once."""
    found = {}

    def come(index):
        try:
            found[index] = meet(Cluster(tuple(cluster), index), seconds)
        except UserError as error:
            found[index] = str(error)

    threads = [threading.Thread(target=come, args=(index,)) for index in indices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_workers_meet():
    assert meeting(addresses(4), [3, 1, 0, 2], 30) == dict.fromkeys(range(4))


def test_who_does_not_come_is_named():
    cluster = addresses(3)
    found = meeting(cluster, [0, 2], 2)
    assert found[0] == f"worker 1 ({cluster[1]}) did not come within 2 s (--worker_timeout)"
    assert found[2] == (
        f"the chief, worker 0 at {cluster[0]}, did not let worker 2 begin within 2 s (--worker_timeout)"
    )
    with socket.create_server(("", int(cluster[0].split(":")[1]))):
        assert meeting(cluster, [0], 2)[0].startswith(f"{cluster[0]}: the port cannot be had (")


def test_a_worker_that_left_is_waited_for_again():
    """And what is no worker of ours does not disturb."""
    cluster = addresses(3)
    chief = threading.Thread(target=meeting, args=(cluster, [0], 30))
    chief.start()
    address = ("localhost", int(cluster[0].split(":")[1]))
    for said in (b"GET / HTTP/1.1\r\n\r\n", b'{"worker": 7, "workers": 3}\n', b'{"worker": 1, "workers": 3}\n', b""):
        connected(address).sendall(said)  # and goes
    assert meeting(cluster, [2, 1], 30) == {1: None, 2: None}
    chief.join(60)
    assert not chief.is_alive()


def connected(address):
    deadline = time.monotonic() + 600  # against a hang alone
    while True:
        try:
            return socket.create_connection(address)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_workers_of_different_clusters_and_runs_are_told(tmp_path):
    cluster = addresses(3)
    chief = {}
    thread = threading.Thread(target=lambda: chief.update(meeting(cluster, [0], 10)))
    thread.start()
    connected(("localhost", int(cluster[0].split(":")[1]))).sendall(b'{"worker": 1, "workers": 2}\n')
    thread.join(30)
    assert chief[0] == "worker 1 is of 2 workers, and the chief of 3: expected the same cluster in each"
