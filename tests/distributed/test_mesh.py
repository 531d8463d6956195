"""Workers' sums over their sockets are exact, the same in each, and end with the first worker that does."""

import numpy as np
import pytest
from addresses import addresses
from meetings import at_once, close, meeting

from nvp_tf.errors import WorkerLost
from nvp_tf.training.distributed.mesh import Mesh

WORKERS = 3
KINDS = {  # shapes and dtypes of what is summed up at once
    "a scalar": [((), "float32")],
    "few": [((3, 5), "float32"), ((2,), "int64"), ((0, 4), "float32"), ((7,), "float32")],
    "many": [((i % 5, 11), "float32") for i in range(900)],
    "large": [
        ((700, 1001), "float64"),
        ((3,), "float32"),
        ((10,), "int32"),
        ((1500, 1000), "float32"),
        ((), "float64"),
    ],
}


def silent(number):
    """Nobody is taken for gone."""


@pytest.fixture(scope="module")
def meshes():
    met = meeting(addresses(WORKERS), range(WORKERS), 30)
    yield {index: Mesh(index, others, silent) for index, others in met.items()}
    close(met)


def arrays(kind, index):
    random = np.random.default_rng(index)
    return [np.asarray(10 * random.standard_normal(shape), dtype) for shape, dtype in KINDS[kind]]


@pytest.mark.parametrize("kind", KINDS)
def test_sums(kind, meshes):
    """In the order of the workers, one after the other: of floats another order has other last bits."""
    given = [arrays(kind, index) for index in range(WORKERS)]
    found = at_once({index: (lambda index=index: meshes[index].sum(given[index], 7)) for index in meshes})
    for i, (shape, dtype) in enumerate(KINDS[kind]):
        expected = given[0][i] + given[1][i] + given[2][i]
        for index in meshes:
            got = found[index][i]
            assert (got.shape, got.dtype) == (shape, dtype) and got.tobytes() == expected.tobytes(), (index, i)


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_what_the_chief_says(size, meshes):
    said = np.random.default_rng(0).bytes(size)
    found = at_once(
        {index: (lambda index=index: meshes[index].from_chief(said if index == 0 else b"-")) for index in meshes}
    )
    assert list(found) != [] and all(found[index] == said for index in range(WORKERS))


def test_ends():
    """Of one whose connection is closed, one that is at another exchange, and one that does not answer any more."""

    def raised(function):
        try:
            return function()
        except (WorkerLost, RuntimeError) as error:
            return error

    def gone(number):
        raise ConnectionError(f"{number} does not answer")

    met = meeting(addresses(2), range(2), 30)
    one, other = (Mesh(index, met[index], gone) for index in range(2))
    value = [np.ones(3)]
    apart = at_once({k: (lambda k=k: raised(lambda: (one, other)[k].sum(value, number=k))) for k in range(2)})
    assert {str(error) for error in apart.values()} == {
        "another worker is at (1, 24), expected (0, 24) (exchange, bytes)",
        "another worker is at (0, 24), expected (1, 24) (exchange, bytes)",
    }
    lost = raised(lambda: one.sum(value))
    assert lost is one.lost and str(lost).startswith(
        "worker 0 stopped, since another one ended or is silent (1 does not answer): start all of them again"
    )
    again = meeting(addresses(2), range(2), 30)
    chief, listener = (Mesh(index, again[index], silent) for index in range(2))
    ended = at_once(
        {
            "chief": lambda: raised(lambda: chief.from_chief(bytes(50_000_000))),
            "listener": lambda: (listener.sum([np.array([0])]), close({1: again[1]})),
        }
    )
    assert isinstance(ended["chief"], WorkerLost)
    close(again)
    close({0: met[0]})
    assert other.sum(value)[0].tolist() == [2, 2, 2]  # which was sent before
    assert "ended or is silent (" in str(raised(lambda: other.sum(value))) and other.lost
    close(met)
