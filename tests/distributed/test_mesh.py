"""Workers' sums over their sockets are exact, the same in each, and end with the first worker that does."""

from functools import partial

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
    found = at_once({index: partial(mesh.sum, given[index], 7) for index, mesh in meshes.items()})
    for i, (shape, dtype) in enumerate(KINDS[kind]):
        expected = given[0][i] + given[1][i] + given[2][i]
        for index in meshes:
            got = found[index][i]
            assert (got.shape, got.dtype) == (shape, dtype) and got.tobytes() == expected.tobytes(), (index, i)


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_what_the_chief_says(size, meshes):
    said = np.random.default_rng(0).bytes(size)
    found = at_once({index: partial(mesh.from_chief, b"-" if index else said) for index, mesh in meshes.items()})
    assert found == dict.fromkeys(range(WORKERS), said)


@pytest.fixture
def two():
    """Two meshes, and their sockets."""
    met = meeting(addresses(2), range(2), 30)
    yield [Mesh(index, met[index], gone) for index in range(2)], met
    close(met)


def gone(number):
    raise ConnectionError(f"{number} does not answer")


def raised(function, *arguments):
    try:
        return function(*arguments)
    except (WorkerLost, RuntimeError) as error:
        return error


def test_of_one_that_is_at_another_exchange(two):
    meshes, _ = two
    found = at_once({k: partial(raised, meshes[k].sum, [np.ones(3)], k) for k in range(2)})
    assert [str(found[k]) for k in range(2)] == [
        f"another worker is at ({1 - k}, 24), expected ({k}, 24) (exchange, bytes)" for k in range(2)
    ]


def test_of_one_that_does_not_answer_and_one_that_has_ended(two):
    (one, other), met = two
    lost = raised(one.sum, [np.ones(3)])
    assert lost is one.lost and str(lost).startswith(
        "worker 0 stopped, since another one ended or is silent (1 does not answer): start all of them again"
    )
    close({0: met[0]})
    assert other.sum([np.ones(3)])[0].tolist() == [2, 2, 2]  # which was sent before
    assert raised(other.sum, [np.ones(3)]) is other.lost is not None


def test_of_one_that_ends_while_it_is_sent_something(two):
    (chief, other), met = two

    def leave():
        other.sum([np.array([0])])  # the size
        close({1: met[1]})

    found = at_once({0: partial(raised, chief.from_chief, bytes(50_000_000)), 1: leave})
    assert isinstance(found[0], WorkerLost)
