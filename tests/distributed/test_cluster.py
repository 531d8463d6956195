"""Who the workers are, as TF_CONFIG or Slurm says it."""

import json

import pytest
import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.training.distributed.cluster import Cluster, counts_of, find_cluster, hosts_of


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
