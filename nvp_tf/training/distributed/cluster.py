"""Which processes train together, and which of them this one is: from TF_CONFIG or from Slurm's variables."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from nvp_tf.errors import UserError

Value = TypeVar("Value")
_FIRST_PORT = 20000  # under Slurm, which gives none


@dataclass(frozen=True)
class Cluster:
    """The workers' addresses, HOST:PORT, the same list in each of them; and the place of this one in it."""

    addresses: tuple[str, ...]
    index: int

    @property
    def size(self) -> int:
        return len(self.addresses)

    @property
    def port(self) -> int:
        return host_and_port(self.addresses[self.index])[1]


def find_cluster(environment: Mapping[str, str] = os.environ) -> Cluster:
    """The cluster that the environment names; TF_CONFIG comes before Slurm.

    Raises:
      UserError: there is none, or it does not make sense.
    """
    if "TF_CONFIG" in environment:
        return _of_tf_config(environment["TF_CONFIG"])
    if "SLURM_PROCID" in environment:
        return _of_slurm(environment)
    raise UserError(
        "--strategy=multiworker needs the environment variable TF_CONFIG, or to be started by Slurm's srun: "
        "neither TF_CONFIG nor SLURM_PROCID is set"
    )


def host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _of_tf_config(text: str) -> Cluster:
    """{"cluster": {"worker": [address, ...]}, "task": {"type": "worker", "index": 0}}; a "chief" comes first."""
    expected = '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        jobs, kind, index = config["cluster"], config["task"]["type"], config["task"]["index"]
        chiefs, workers = jobs.get("chief", []), jobs.get("worker", [])
        addresses = tuple(map(str, [*chiefs, *workers]))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        wrong = f"is not JSON ({error})" if isinstance(error, json.JSONDecodeError) else f"is {text}"
        raise UserError(f"TF_CONFIG {wrong}, expected {expected}") from None
    others = set(jobs) - {"chief", "worker"}
    if others:
        raise UserError(f"TF_CONFIG has a job {sorted(others)[0]!r}, expected worker, and chief for the first of them")
    whole = all(re.fullmatch(r"\S+:\d{1,5}", address) for address in addresses)
    if not whole or len(set(addresses)) < len(addresses):
        raise UserError(f"TF_CONFIG has the addresses {', '.join(addresses)}, expected HOST:PORT, each another one")
    if kind not in jobs or not isinstance(index, int) or not 0 <= index < len(jobs[kind]):
        counts = " and ".join(f"{len(jobs[job])} {job}" for job in jobs) or "nothing"
        raise UserError(f"TF_CONFIG has the task {kind} {index!r}, expected one of its cluster, which has {counts}")
    return Cluster(addresses, index if kind == "chief" else len(chiefs) + index)


def _of_slurm(environment: Mapping[str, str]) -> Cluster:
    """One worker a task. Tasks fill one node after the other, srun's own order; ports are counted up on each node."""

    def value(name: str, read: Callable[[str], Value]) -> Value:
        try:
            return read(environment[name])
        except KeyError:
            raise UserError(f"{name} is not set: start --strategy=multiworker by Slurm's srun") from None
        except ValueError:
            raise UserError(f"{name} is {environment[name]!r}, which is not what Slurm sets") from None

    hosts, counts = value("SLURM_STEP_NODELIST", hosts_of), value("SLURM_STEP_TASKS_PER_NODE", counts_of)
    if len(hosts) != len(counts):
        raise UserError(f"SLURM_STEP_NODELIST has {len(hosts)} nodes, SLURM_STEP_TASKS_PER_NODE {len(counts)}")
    first = _FIRST_PORT + value("SLURM_JOB_ID", int) % 10000  # two jobs on one node are two clusters
    places = [(host, first + k) for host, count in zip(hosts, counts, strict=True) for k in range(count)]
    index = value("SLURM_PROCID", int)
    here = environment.get("SLURMD_NODENAME")
    if index >= len(places) or here not in (None, places[index][0]):
        raise UserError(
            f"SLURM_PROCID is {index} of {len(places)} tasks, on {here or 'a node without a name'}: "
            "expected srun --distribution=block, a node after another"
        )
    return Cluster(tuple(f"{host}:{port}" for host, port in places), index)


def hosts_of(text: str) -> list[str]:
    """Slurm's short form of host names: "n[1-2,07],m5" is n1, n2, n07, m5."""
    found: list[str] = []
    for part in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", text):
        names = [""]
        for plain, ranges in re.findall(r"([^\[\]]+)|\[([^\]]*)\]", part):
            names = [name + more for name in names for more in ([plain] if plain else _numbers(ranges))]
        found += names
    return found


def counts_of(text: str) -> list[int]:
    """Slurm's short form of counts: "3(x2),1" is 3, 3, 1."""
    return [int(n) for n, times in (_count(part) for part in text.split(",")) for _ in range(int(times or 1))]


def _count(text: str) -> tuple[str, str | None]:
    found = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", text)
    if found is None:
        raise ValueError(f"{text!r} is no count")
    return found[1], found[2]


def _numbers(text: str) -> Iterator[str]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from (str(n).zfill(len(first)) for n in range(int(first), int(last or first) + 1))
