import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import conv_coupling, mlp_coupling, randomize

from nvp_tf.layers import masks
from nvp_tf.layers.coupling import Additive, Affine, Coupling


class Constant(keras.layers.Layer):
    """A network that says the same whatever it sees, and remembers what it saw."""

    def __init__(self, values):
        super().__init__(dtype="float64")
        self.values = np.array(values, "float64")

    def call(self, x, training=False):
        self.seen = x.numpy()
        return tf.broadcast_to(self.values, [*x.shape[:-1], len(self.values)])


def coupling(mask, values, transform):
    layer = Coupling(mask, Constant(values), transform, dtype="float64")
    layer.build((None, *mask.shape))
    return layer


def test_affine_adds_first_and_then_scales():
    layer = coupling(masks.half(3), [2.0, np.arctanh(0.5)], Affine(dtype="float64"))
    layer.transform.gamma.assign(3.0)  # s = 3 * 0.5
    y, log_det = layer.forward(np.array([[7.0, 8.0, 1.0]]))
    np.testing.assert_allclose(y, [[7.0, 8.0, (1 + 2) * np.exp(1.5)]])
    np.testing.assert_allclose(log_det, [1.5])
    np.testing.assert_array_equal(layer.network.seen, [[7.0, 8.0]])
    x, log_det = layer.inverse(np.array([[7.0, 8.0, 1.0]]))
    np.testing.assert_allclose(x, [[7.0, 8.0, np.exp(-1.5) - 2]])
    np.testing.assert_allclose(log_det, [-1.5])


def test_additive_keeps_the_order_of_the_entries():
    layer = coupling(masks.parity(5, swap=True), [10.0, 20.0, 30.0], Additive(dtype="float64"))
    y, log_det = layer.forward(np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    np.testing.assert_array_equal(y, [[11.0, 2.0, 23.0, 4.0, 35.0]])
    np.testing.assert_array_equal(log_det, [0.0])


def test_a_checkerboard_zeroes_what_the_network_must_not_see():
    layer = coupling(masks.checkerboard(3, 3, 1), [0.5, np.arctanh(0.25)], Affine(dtype="float64"))
    x = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    y, log_det = layer.forward(x)
    np.testing.assert_array_equal(layer.network.seen.ravel(), [1, 0, 3, 0, 5, 0, 7, 0, 9])
    e = np.exp(0.25)
    np.testing.assert_allclose(y.numpy().ravel(), [1, 2.5 * e, 3, 4.5 * e, 5, 6.5 * e, 7, 8.5 * e, 9])
    np.testing.assert_allclose(log_det, [4 * 0.25])  # 4 changed entries of 9


@pytest.mark.parametrize(
    ("make", "mask"),
    [
        (mlp_coupling, masks.half(5)),
        (conv_coupling, masks.checkerboard(4, 4, 2)),
        (conv_coupling, masks.channel(2, 2, 4)),
    ],
)
def test_a_fresh_coupling_is_the_identity_and_can_learn(make, mask):
    layer = make(mask)
    layer.build((None, *mask.shape))
    x = np.random.default_rng(0).standard_normal((3, *mask.shape))
    with tf.GradientTape() as tape:
        y, log_det = layer.forward(x)
        loss = tf.reduce_sum(y * tf.sin(x)) + tf.reduce_sum(log_det)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(log_det, np.zeros(3))
    gradients = tape.gradient(loss, [w.value for w in layer.trainable_weights])
    assert sum(np.any(g) for g in gradients) >= 1
    randomize(layer)
    assert not np.allclose(layer.forward(x)[0], x)


@pytest.mark.parametrize(("mask", "kept"), [(np.ones(3), 3), (np.zeros((2, 2, 1)), 0)])
def test_a_mask_that_leaves_nothing_to_do(mask, kept):
    with pytest.raises(ValueError, match=f"keeps {kept} entries, expected some but not all"):
        Coupling(mask, Constant([0.0]), Additive())


def test_another_shape_than_the_masks():
    with pytest.raises(ValueError, match=r"event shape is \(4,\), expected the mask's \(3,\)"):
        Coupling(masks.half(3), Constant([0.0]), Additive()).build((None, 4))
