"""Eight clients at once, batches of random sizes, bad requests among them: every answer right, memory flat."""

import threading
import time

import numpy as np
import pytest
import requests
from exports import saved_models
from servers import addresses, stand_in

from nvp_tf.scoring.connect import connect
from nvp_tf.scoring.scorer import Refused

CLIENTS = 8


class Client(threading.Thread):
    """Asks until told to stop, right and wrong at least once, and keeps what was wrong with the answers."""

    def __init__(self, address, x, expected, until, seed):
        super().__init__(daemon=True)
        self.address, self.x, self.expected, self.until = address, x, expected, until
        self.random = np.random.RandomState(seed)
        self.right = self.refused = 0
        self.wrong = []

    def run(self):
        try:
            server = connect(self.address, "digits", tries=20)
            while not self.wrong and (time.monotonic() < self.until or not (self.right and self.refused)):
                self._ask(server)
        except Exception as error:
            self.wrong.append(repr(error))

    def _ask(self, server):
        rows = self.random.randint(0, len(self.x), self.random.choice([1, 7, 64, 200]))
        if self.random.rand() < 0.8:
            found = server.score(self.x[rows])["log_prob"]
            if not np.allclose(found, self.expected[rows], atol=1e-3):
                self.wrong.append(f"differs by {np.abs(found - self.expected[rows]).max()}")
            self.right += len(rows)
            return
        if self.address.startswith("http") and self.random.rand() < 0.5:
            answer = requests.post(f"{self.address}/v1/models/digits:predict", data=b"{", timeout=600)
            status = str(answer.status_code)
        else:
            try:
                status = f"{server.score(np.repeat(self.x[rows], 2, axis=self.random.randint(1, 4)))}"
            except Refused as refused:
                status = str(refused)
        if not status.startswith(("400", "INVALID_ARGUMENT")):
            self.wrong.append(f"a bad request gets {status}")
        self.refused += 1


def resident(pid):
    """Bytes of memory that a process has."""
    with open(f"/proc/{pid}/status") as file:
        [line] = [line for line in file if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_under_load(seconds):
    flow, x, folder = saved_models()["grey"]
    with stand_in("digits", folder, trouble=20) as (_, ports):
        until, expected = time.monotonic() + seconds, flow.log_prob(x).numpy()
        clients = [Client(addresses(ports)[i % 2], x, expected, until, seed=i) for i in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(seconds / 2)
        halfway = resident(ports["pid"])
        for client in clients:
            client.join(1800)  # against a hang alone
        growth = resident(ports["pid"]) - halfway
    assert [client.wrong for client in clients] == [[]] * CLIENTS
    assert all(client.right and client.refused for client in clients)
    assert growth < 50e6, f"{growth / 1e6:.0f} MB more than halfway"
    print(f"{sum(c.right for c in clients)} scored, {sum(c.refused for c in clients)} refused, {growth / 1e6:+.1f} MB")
