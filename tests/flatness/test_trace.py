"""Traces from products: unbiased, with an error that is theirs. No matrix is diagonal: signs see those exactly."""

import numpy as np
import pytest
from subjects import from_teacher, symmetric, with_eigenvalues

from nvp_tf.errors import UserError
from nvp_tf.flatness.blocks import Block, by_layer
from nvp_tf.flatness.operators import hessian, of_matrix
from nvp_tf.flatness.trace import hutch_plus_plus, hutchinson

INDEFINITE = symmetric(80)
DECAYING = with_eigenvalues(1 / np.arange(1.0, 81) ** 1.5)
BLOCKS = (
    Block("a/kernel", "a", 0, 20, (4, 5)),
    Block("a/bias", "a", 20, 25, (5,)),
    Block("b/kernel", "b", 25, 80, (55,)),
)


@pytest.mark.parametrize("matrix", [INDEFINITE, DECAYING], ids=["indefinite", "decaying"])
@pytest.mark.parametrize(
    "estimate",
    [
        lambda operator, seed: hutchinson(operator, 60, seed=seed).estimate,
        lambda operator, seed: hutch_plus_plus(operator, 99, seed=seed),
    ],
    ids=["hutchinson", "hutch++"],
)
def test_within_four_errors(matrix, estimate):
    found = [estimate(of_matrix(matrix), seed) for seed in range(100)]
    apart = np.array([abs(e.value - np.trace(matrix)) / e.error for e in found])
    assert (apart <= 4).sum() >= 99
    assert (apart <= 1).sum() < 90  # and the errors are no wider than need be


def test_hutch_plus_plus_beats_hutchinson_where_eigenvalues_decay():
    operator = of_matrix(DECAYING)
    plain = [hutchinson(operator, 99, seed=seed).estimate.value for seed in range(60)]
    sketched = [hutch_plus_plus(operator, 99, seed=seed).value for seed in range(60)]
    assert np.std(sketched) < 0.5 * np.std(plain)


def test_exact_where_the_basis_spans_everything():
    found = hutch_plus_plus(of_matrix(symmetric(6)), 99)
    assert abs(found.value - np.trace(symmetric(6))) < 1e-12 and found.error == 0


def test_of_a_network():
    h = hessian(from_teacher(5, 7, 1))
    whole = np.trace(h.dense())
    plain, sketched = hutchinson(h, 99), hutch_plus_plus(h, 99)
    assert abs(plain.estimate.value - whole) <= 4 * plain.estimate.error
    assert abs(sketched.value - whole) <= 4 * sketched.error and sketched.error < plain.estimate.error


def test_by_block():
    operator = of_matrix(INDEFINITE, BLOCKS)
    found = hutchinson(operator, 400, seed=3)
    for block in BLOCKS:
        estimate, known = found.blocks[block.name], np.trace(INDEFINITE[block.slice, block.slice])
        assert abs(estimate.value - known) <= 4 * estimate.error
    np.testing.assert_allclose(sum(e.value for e in found.blocks.values()), found.estimate.value)
    layer = found.of([block.name for block in by_layer(BLOCKS)["a"]])
    assert abs(layer.value - np.trace(INDEFINITE[:25, :25])) <= 4 * layer.error
    everything = found.of(found.blocks)
    np.testing.assert_allclose([everything.value, everything.error], [found.estimate.value, found.estimate.error])


def test_too_few():
    with pytest.raises(UserError, match="probes is 1, expected at least 2"):
        hutchinson(of_matrix(INDEFINITE), 1)
    with pytest.raises(UserError, match="products is 5, expected at least 6"):
        hutch_plus_plus(of_matrix(INDEFINITE), 5)
