"""Images of any number of channels, put together."""

import numpy as np
import pytest
import tensorflow as tf

from nvp_tf.event import Event
from nvp_tf.pictures.layout import Panel, grid, page, tile
from nvp_tf.pictures.samples import sample_picture

# channels: those that are drawn
DRAWN = {1: [0], 2: [0], 3: [0, 1, 2], 4: [0, 1, 2], 5: [0, 1, 2], 13: [0, 1, 2]}


@pytest.mark.parametrize("channels", DRAWN)
def test_channels(channels):
    images = np.random.default_rng(channels).integers(0, 17, (2, 3, 4, channels), dtype=np.uint8)
    canvas = tile(images, levels=17)
    shown = np.rint(images[..., DRAWN[channels]] * (255 / 16)).astype(np.uint8)
    assert canvas.shape == (5, 11, len(DRAWN[channels]))
    np.testing.assert_array_equal(canvas[1:4, 1:5], shown[0])
    np.testing.assert_array_equal(canvas[1:4, 6:10], shown[1])
    assert (canvas[:, [0, 5, 10]] == 255).all() and (canvas[[0, 4]] == 255).all()
    assert grid(images, 17, side=22).mode == ("L" if len(DRAWN[channels]) == 1 else "RGB")
    assert page([Panel(images, 17)], inches=1.0).mode == "RGB"

    class Flow:
        event = Event((3, 4, channels), 17)

        def sample(self, num_samples, seed, temperature):
            return tf.constant(images[:num_samples])

    assert sample_picture(Flow(), 2).mode == grid(images, 17).mode
