"""Before TensorFlow's server starts: all workers of a cluster meet, and each two of them have a socket from then on.

That server waits an hour for a worker that does not come, deaf to signals and to Python's threads. So the others
first say to the chief, at its address, that they are there; when all are, it lets them begin together. Then each
connects to those before it, at the addresses that TensorFlow's servers have afterwards.

    worker -> chief    {"worker": 2, "workers": 3}
    chief -> worker    "there?"    once all have come; again, where one of them had left meanwhile
    worker -> chief    "here"
    chief -> worker    "begin"     once all have answered
    worker -> worker   {"worker": 2, "workers": 3}
"""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Collection
from typing import Any

from nvp_tf.errors import UserError, WorkerLost
from nvp_tf.training.distributed.cluster import Cluster, host_and_port

_ANSWER = 5.0  # seconds for the other end to answer, when it is there
_BEGIN = 60.0  # seconds for those that may begin to connect


def meet(cluster: Cluster, seconds: float, say: Callable[[str], None] = lambda line: None) -> dict[int, socket.socket]:
    """Returns once every worker is here: a socket to each of the others, by their number.

    Args:
      seconds: to wait at most.
      say: is called with a line about who is waited for.

    Raises:
      UserError: the port is taken; or somebody has not come, and the message names him.
      WorkerLost: one of them ended right then.
    """
    if cluster.size == 1:
        return {}
    deadline = time.monotonic() + seconds
    with _door(cluster) as door, contextlib.ExitStack() as opened:
        if cluster.index == 0:
            others = _receive(cluster, door, opened, deadline, seconds, say)
        else:
            chief = opened.enter_context(_come(cluster, deadline, seconds, say))
            others = {0: chief} | _connect(cluster, door, opened)
        opened.pop_all()  # they stay open
    return others


def _door(cluster: Cluster) -> socket.socket:
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    try:
        return socket.create_server(
            ("", cluster.port), family=family, dualstack_ipv6=family == socket.AF_INET6, backlog=cluster.size
        )
    except OSError as error:
        raise UserError(f"{cluster.addresses[cluster.index]}: the port cannot be had ({error.strerror})") from None


def _receive(
    cluster: Cluster,
    door: socket.socket,
    opened: contextlib.ExitStack,
    deadline: float,
    seconds: float,
    say: Callable[[str], None],
) -> dict[int, socket.socket]:
    """The chief's part."""
    come: dict[int, socket.socket] = {}
    say(f"waiting for {_named(cluster, come)}")
    while True:
        _let_in(cluster, door, opened, come)
        if len(come) == cluster.size - 1:
            for number, other in [*come.items()]:
                if _ask(other, "there?") != "here":
                    come.pop(number).close()
            if len(come) == cluster.size - 1:
                for other in come.values():
                    _send(other, "begin")
                return come
        if time.monotonic() > deadline:
            raise UserError(f"{_named(cluster, come)} did not come within {seconds:g} s (--worker_timeout)")


def _let_in(
    cluster: Cluster, door: socket.socket, opened: contextlib.ExitStack, come: dict[int, socket.socket]
) -> None:
    """Waits a second for one more, who says which worker it is; whoever is none, or has come before, is sent away."""
    door.settimeout(1.0)
    with contextlib.suppress(OSError):
        other = opened.enter_context(door.accept()[0])
        other.settimeout(_ANSWER)
        hello = _line(other)
        number = hello.get("worker") if isinstance(hello, dict) else None
        if not (isinstance(number, int) and cluster.index < number < cluster.size):
            return other.close()
        if hello["workers"] != cluster.size:
            raise UserError(
                f"worker {number} is of {hello['workers']} workers, and the chief of {cluster.size}: "
                "expected the same cluster in each"
            )
        if number in come:
            come[number].close()
        come[number] = other
    return None


def _come(cluster: Cluster, deadline: float, seconds: float, say: Callable[[str], None]) -> socket.socket:
    """What the others do first. Where a chief of before is still ending, or the host is not known yet: again."""
    told = False
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
            chief = opened.enter_context(_introduced(cluster, 0))
            chief.settimeout(max(deadline - time.monotonic(), 0.1))
            while (said := _line(chief)) == "there?":
                _send(chief, "here")
            if said == "begin":
                opened.pop_all()
                return chief
        if not told:
            say(f"waiting for the chief, {cluster.addresses[0]}")
            told = True
        time.sleep(0.2)
    raise UserError(
        f"the chief, worker 0 at {cluster.addresses[0]}, did not let worker {cluster.index} begin "
        f"within {seconds:g} s (--worker_timeout)"
    )


def _connect(cluster: Cluster, door: socket.socket, opened: contextlib.ExitStack) -> dict[int, socket.socket]:
    """Sockets to those beside the chief, who has let all of them begin: each had opened its door before it came."""
    deadline = time.monotonic() + _BEGIN
    later: dict[int, socket.socket] = {}
    try:
        before = {k: opened.enter_context(_introduced(cluster, k)) for k in range(1, cluster.index)}
        while len(later) < cluster.size - 1 - cluster.index:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{_named(cluster, [*range(cluster.index + 1), *later])} did not connect")
            _let_in(cluster, door, opened, later)
    except OSError as error:
        raise lost_at_start(str(error)) from None
    return before | later


def lost_at_start(why: str) -> WorkerLost:
    """What is raised where a worker ends once all have met, and before any has stepped."""
    return WorkerLost(f"another worker ended as training began ({why}): start all of them again")


def _introduced(cluster: Cluster, number: int) -> socket.socket:
    """A socket to that worker, which is told whose it is."""
    other = socket.create_connection(host_and_port(cluster.addresses[number]), timeout=_ANSWER)
    _send(other, {"worker": cluster.index, "workers": cluster.size})
    return other


def _named(cluster: Cluster, come: Collection[int]) -> str:
    missing = [f"{number} ({cluster.addresses[number]})" for number in range(1, cluster.size) if number not in come]
    few = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
    return f"worker{'s' * (len(missing) > 1)} {few}"


def _ask(other: socket.socket, question: str) -> Any:
    """The answer; None where there is no sense in it, or nobody."""
    with contextlib.suppress(OSError):
        _send(other, question)
        return _line(other)
    return None


def _send(other: socket.socket, value: object) -> None:
    other.sendall(json.dumps(value).encode() + b"\n")


def _line(other: socket.socket) -> Any:
    """The next line's value; None where it is none of ours, such as another program's greeting."""
    received = b""
    while not received.endswith(b"\n") and len(received) < 1000:
        byte = other.recv(1)
        if not byte:
            return None
        received += byte
    with contextlib.suppress(ValueError):
        return json.loads(received)
    return None
