"""Before TensorFlow's server starts: all workers of a cluster meet.

That server waits an hour for a worker that does not come, deaf to signals and to Python's threads. So the others
first say to the chief, at its address, that they are there; when all are, it lets them begin together.

    worker -> chief   {"worker": 1, "workers": 2}
    chief -> worker   "there?"    once all have come; again, where one of them had left meanwhile
    worker -> chief   "here"
    chief -> worker   "begin"     once all have answered
"""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Collection
from typing import Any

from nvp_tf.errors import UserError
from nvp_tf.training.distributed.cluster import Cluster, host_and_port

_ANSWER = 5.0  # seconds for the other end to answer, when it is there


def meet(cluster: Cluster, seconds: float, say: Callable[[str], None] = lambda line: None) -> None:
    """Returns once every worker is here.

    Args:
      seconds: to wait at most.
      say: is called with a line about who is waited for.

    Raises:
      UserError: the port is taken; or somebody has not come, and the message names him.
    """
    if cluster.size == 1:
        return
    deadline = time.monotonic() + seconds
    if cluster.index == 0:
        _receive(cluster, deadline, seconds, say)
    else:
        _come(cluster, deadline, seconds, say)


def _receive(cluster: Cluster, deadline: float, seconds: float, say: Callable[[str], None]) -> None:
    """The chief's part."""
    come: dict[int, socket.socket] = {}
    try:
        family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
        door = socket.create_server(
            ("", cluster.port), family=family, dualstack_ipv6=family == socket.AF_INET6, backlog=cluster.size
        )
    except OSError as error:
        raise UserError(f"{cluster.addresses[0]}: the port cannot be had ({error.strerror})") from None
    with door, contextlib.ExitStack() as sockets:
        say(f"waiting for {_named(cluster, come)}")
        while True:
            door.settimeout(1.0)
            with contextlib.suppress(OSError):
                other = sockets.enter_context(door.accept()[0])
                other.settimeout(_ANSWER)
                hello = _line(other)
                number = hello.get("worker") if isinstance(hello, dict) else None
                if isinstance(number, int) and 0 < number < cluster.size:
                    if hello["workers"] != cluster.size:
                        raise UserError(
                            f"worker {number} is of {hello['workers']} workers, and the chief of {cluster.size}: "
                            "expected the same cluster in each"
                        )
                    come[number] = other
            if len(come) == cluster.size - 1:
                come = {number: other for number, other in come.items() if _ask(other, "there?") == "here"}
                if len(come) == cluster.size - 1:
                    for other in come.values():
                        _send(other, "begin")
                    return
            if time.monotonic() > deadline:
                raise UserError(f"{_named(cluster, come)} did not come within {seconds:g} s (--worker_timeout)")


def _come(cluster: Cluster, deadline: float, seconds: float, say: Callable[[str], None]) -> None:
    """What the others do. Where a chief of before is still ending, or the host is not known yet: again."""
    told = False
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(host_and_port(cluster.addresses[0]), timeout=_ANSWER) as chief,
        ):
            _send(chief, {"worker": cluster.index, "workers": cluster.size})
            chief.settimeout(max(deadline - time.monotonic(), 0.1))
            while (said := _line(chief)) == "there?":
                _send(chief, "here")
            if said == "begin":
                return
        if not told:
            say(f"waiting for the chief, {cluster.addresses[0]}")
            told = True
        time.sleep(0.2)
    raise UserError(
        f"the chief, worker 0 at {cluster.addresses[0]}, did not let worker {cluster.index} begin "
        f"within {seconds:g} s (--worker_timeout)"
    )


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
