"""Literal positions: a round trip does not see a wrong order."""

import numpy as np
import pytest

from nvp_tf.layers.squeeze import Squeeze, Unsqueeze, squeeze, unsqueeze


def image(height, width, channels):
    """Entry (i, j, c) is 100 i + 10 j + c."""
    i, j, c = np.indices((height, width, channels))
    return (100 * i + 10 * j + c)[None].astype("float64")


@pytest.mark.parametrize(
    ("order", "block"),
    [
        # RGB: the first half of the plain order is all four reds and the upper two greens.
        ("plain", [0, 10, 100, 110, 1, 11, 101, 111, 2, 12, 102, 112]),
        ("ordered", [0, 1, 2, 110, 111, 112, 10, 11, 12, 100, 101, 102]),
    ],
)
def test_positions_of_a_colour_image(order, block):
    x = image(4, 6, 3)
    y = squeeze(x, order).numpy()
    assert y.shape == (1, 2, 3, 12)
    for i in range(2):
        for j in range(3):
            np.testing.assert_array_equal(y[0, i, j], np.array(block) + 200 * i + 20 * j)
    np.testing.assert_array_equal(unsqueeze(y, order), x)


@pytest.mark.parametrize(("order", "block"), [("plain", [0, 10, 100, 110]), ("ordered", [0, 110, 10, 100])])
def test_positions_of_a_grey_image(order, block):
    np.testing.assert_array_equal(squeeze(image(2, 2, 1), order)[0, 0, 0], block)


def test_ordered_first_half_is_the_kept_colour_of_the_checkerboard():
    half = squeeze(image(4, 4, 1), "ordered")[..., :2].numpy().ravel()
    assert all((entry // 100 + entry // 10 % 10) % 2 == 0 for entry in half)


@pytest.mark.parametrize("cls", [Squeeze, Unsqueeze])
def test_unknown_order(cls):
    with pytest.raises(ValueError, match="order is 'other', expected one of plain, ordered"):
        cls("other")


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Squeeze, (3, 4, 1), "even, even"),
        (Squeeze, (4, 3, 1), "even, even"),
        (Squeeze, (4,), "even, even"),
        (Unsqueeze, (2, 2, 6), "multiple of 4"),
    ],
)
def test_impossible_shapes(layer, shape, expected):
    with pytest.raises(ValueError, match=expected):
        layer("plain").build((None, *shape))
