"""Workers that meet, each in a thread of this process."""

import functools
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from nvp_tf.errors import UserError
from nvp_tf.training.distributed.cluster import Cluster
from nvp_tf.training.distributed.rendezvous import meet


def meeting(cluster, indices, seconds):
    """{index: its sockets, or what it was refused with} of workers that come at once."""

    def come(index):
        try:
            return meet(Cluster(tuple(cluster), index), seconds)
        except UserError as error:
            return str(error)

    return at_once({index: functools.partial(come, index) for index in indices})


def at_once(functions):
    """{key: what its function returned}."""
    with ThreadPoolExecutor(len(functions)) as threads:
        running = {key: threads.submit(function) for key, function in functions.items()}
        return {key: future.result(60) for key, future in running.items()}


def close(met):
    """The sockets of some who met."""
    for others in met.values():
        for other in others.values():
            other.close()


def connected(address):
    deadline = time.monotonic() + 600  # against a hang alone
    while True:
        try:
            return socket.create_connection(address)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
