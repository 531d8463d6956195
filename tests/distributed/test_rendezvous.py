"""Workers find each other before they begin, or are told who is missing and why."""

import socket
import threading

from addresses import addresses
from meetings import close, connected, meeting


def test_workers_meet():
    found = meeting(addresses(4), [3, 1, 0, 2], 30)
    assert {index: sorted(others) for index, others in found.items()} == {
        index: sorted({0, 1, 2, 3} - {index}) for index in range(4)
    }
    close(found)


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
    found = {}
    chief = threading.Thread(target=lambda: found.update(meeting(cluster, [0], 30)))
    chief.start()
    address = ("localhost", int(cluster[0].split(":")[1]))
    for said in (b"GET / HTTP/1.1\r\n\r\n", b'{"worker": 7, "workers": 3}\n', b'{"worker": 1, "workers": 3}\n', b""):
        connected(address).sendall(said)  # and goes
    found |= meeting(cluster, [2, 1], 30)
    chief.join(60)
    assert not chief.is_alive()
    assert {index: sorted(others) for index, others in found.items()} == {0: [1, 2], 1: [0, 2], 2: [0, 1]}
    close(found)


def test_workers_of_different_clusters_and_runs_are_told(tmp_path):
    cluster = addresses(3)
    chief = {}
    thread = threading.Thread(target=lambda: chief.update(meeting(cluster, [0], 10)))
    thread.start()
    connected(("localhost", int(cluster[0].split(":")[1]))).sendall(b'{"worker": 1, "workers": 2}\n')
    thread.join(30)
    assert chief[0] == "worker 1 is of 2 workers, and the chief of 3: expected the same cluster in each"
