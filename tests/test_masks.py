import numpy as np
import pytest

from nvp_tf.layers import masks


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (masks.half(4), [1, 1, 0, 0]),
        (masks.half(5), [1, 1, 1, 0, 0]),
        (masks.half(5, swap=True), [0, 0, 0, 1, 1]),
        (masks.parity(5), [1, 0, 1, 0, 1]),
        (masks.parity(4, swap=True), [0, 1, 0, 1]),
        (masks.checkerboard(3, 3, 1)[..., 0], [[1, 0, 1], [0, 1, 0], [1, 0, 1]]),
        (masks.checkerboard(2, 4, 1, swap=True)[..., 0], [[0, 1, 0, 1], [1, 0, 1, 0]]),
        (masks.checkerboard(2, 2, 2), [[[1, 1], [0, 0]], [[0, 0], [1, 1]]]),
        (masks.channel(1, 2, 4), [[[1, 1, 0, 0], [1, 1, 0, 0]]]),
        (masks.channel(2, 1, 3, swap=True), [[[0, 0, 1]], [[0, 0, 1]]]),
    ],
)
def test_against_matrices_by_hand(mask, expected):
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, np.array(expected, bool))


def test_seven_by_seven_keeps_one_pixel_more_than_it_changes():
    """The last of three scales of 28x28."""
    mask = masks.checkerboard(7, 7, 1)
    assert (mask.sum(), (~mask).sum()) == (25, 24)


def test_masks_are_nobody_elses_memory():
    masks.channel(2, 2, 4)[0, 0, 0] = False
    assert masks.channel(2, 2, 4)[0, 0, 0]
