"""Figures 5.8 and 5.9, which need no run."""

import numpy as np
import pytest

from nvp_tf.figures import masks, registry, squeeze


@pytest.mark.parametrize(
    ("order", "channels"),
    [
        ("plain", [[1, 3, 9, 11], [2, 4, 10, 12], [5, 7, 13, 15], [6, 8, 14, 16]]),
        ("ordered", [[1, 3, 9, 11], [6, 8, 14, 16], [2, 4, 10, 12], [5, 7, 13, 15]]),
    ],
)
def test_where_the_numbers_go(order, channels):
    numbers = np.arange(1, 17, dtype=np.float32).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(squeeze.squeeze_of(numbers, order).reshape(4, 4).T, channels)


def test_dots_are_the_masks(monkeypatch):
    drawn = []
    monkeypatch.setattr(masks, "draw_mask", lambda axes, mask: drawn.append(mask))
    masks.draw()
    board = np.indices((4, 4)).sum(axis=0) % 2 == 0
    np.testing.assert_array_equal(drawn[0][..., 0], board)
    np.testing.assert_array_equal(drawn[1][..., 0], ~board)
    np.testing.assert_array_equal(drawn[2][0, 0], [True, True, False, False])
    np.testing.assert_array_equal(drawn[3], ~drawn[2])


@pytest.mark.parametrize("name", ["masks", "squeeze"])
def test_they_need_no_run(name):
    assert not registry.get(name).needs_run and registry.get("samples").needs_run
    picture = registry.draw(name, None, {})
    assert min(picture.size) > 300
