"""Workers that meet, each in a thread of this process."""

import socket
import threading
import time

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

    return at_once({index: (lambda index=index: come(index)) for index in indices})


def at_once(functions):
    """{key: what its function returned}."""
    found = {}
    threads = [
        threading.Thread(target=lambda key=key, function=function: found.update({key: function()}))
        for key, function in functions.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


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
