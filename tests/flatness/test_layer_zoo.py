"""Second derivatives layer by layer: within 1e-8 of differences of gradients, or refused by the layer's name.

No second oracle by automatic differentiation: where TensorFlow is wrong, all of its orders agree.
"""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import MODELS as FLOWS
from subjects import F64, L, by_differences, curvature, dense, normal, sequential

from nvp_tf.errors import UserError
from nvp_tf.flatness import blame, moments, products
from nvp_tf.flatness.batches import in_batches
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.models import open_model

ACTIVATIONS = "celu elu gelu leaky_relu relu relu6 selu sigmoid silu softplus swish tanh mish hard_silu squareplus"


def side_by_side(shape, layers, wide=3):
    """One dense layer that all of `layers` read, and one that reads all of them."""
    x = keras.Input(shape, **F64)
    first = L.Conv2D(wide, 1, activation="tanh", **F64) if len(shape) == 3 else dense(wide, activation="tanh")
    z = first(x)
    outputs = [L.Flatten(**F64)(layer(z)) for layer in layers]
    return keras.Model(x, dense(2)(L.Concatenate(**F64)(outputs) if len(outputs) > 1 else outputs[0]))


def attention(heads=2):
    x = keras.Input((4, 3), **F64)
    z = dense(3, activation="tanh")(x)
    z = L.MultiHeadAttention(heads, 2, **F64)(z, z) + L.Attention(**F64)([z, z])
    return keras.Model(x, dense(2)(L.Flatten(**F64)(z)))


def recurrent():
    """One as a loop of the graph, two unrolled: tracing the second derivative of a loop takes seconds."""
    return side_by_side((2, 2), [*[layer(2, unroll=True, **F64) for layer in (L.LSTM, L.GRU)], L.SimpleRNN(2, **F64)])


def embedding():
    words = keras.Input((4,), dtype="int32")
    x = L.Flatten(**F64)(L.Embedding(6, 2, **F64)(words))
    return keras.Model(words, dense(2)(dense(2, activation="tanh")(x)))


def each(shape, *makers):
    """`side_by_side` of layers made from (class, positional arguments)."""
    return lambda: side_by_side(shape, [make(*args, **F64) for make, *args in makers])


GROUPS = {
    "activations": each((3,), (L.PReLU,), (L.Softmax,), *[(L.Activation, name) for name in ACTIVATIONS.split()]),
    "convolutions": each(
        *((5, 5, 2), (L.Conv2D, 2, 2), (L.Conv2DTranspose, 2, 2), (L.DepthwiseConv2D, 2), (L.SeparableConv2D, 2, 2))
    ),
    "pools": each(
        *((4, 4, 2), (L.MaxPooling2D,), (L.AveragePooling2D, 2), (L.GlobalAveragePooling2D,), (L.GlobalMaxPooling2D,)),
        (L.UpSampling2D, 2),
    ),
    "norms": each(
        *((3, 3, 2), (L.BatchNormalization,), (L.LayerNormalization,), (L.GroupNormalization, 3)),
        *((L.RMSNormalization,), (L.UnitNormalization,)),
    ),
    "recurrent": recurrent,
    "attention": attention,
    "embedding": embedding,
    "spectral": lambda: sequential(
        (3,), L.SpectralNormalization(dense(3), **F64), L.Activation("tanh", **F64), dense(2)
    ),
}


def examples(model, n=12):
    if model.inputs[0].dtype == "int32":
        return np.random.default_rng(0).integers(0, 6, (n, 4)), normal(n, 2)
    return normal(n, *model.input_shape[1:]), normal(n, 2)


def error(c, seed=3):
    """Of H v from differences of gradients, the best of three steps."""
    v = np.random.default_rng(seed).standard_normal(c.dim)
    product = c.hessian(v)
    return min(np.linalg.norm(product - d) for d in by_differences(c.gradient, c.weights, v)) / np.linalg.norm(product)


@pytest.mark.parametrize(("group", "mode"), [*[(group, "inference") for group in GROUPS], ("norms", "training")])
def test_right(group, mode):
    model = GROUPS[group]()
    for weight in model.trainable_variables:
        if not np.ptp(weight.value.numpy()):
            weight.assign(weight + 0.3 * normal(*weight.shape))
    assert error(curvature(model, "mse", *examples(model), batch_norm=mode)) < 1e-8


@pytest.mark.parametrize(("flow", "mode"), [("nice_image", "inference"), ("realnvp_one_scale", "training")])
def test_flows(flow, mode):
    case = FLOWS[flow]
    model, loss, _ = open_model(case.make(seed=1))
    c = Curvature(model, loss, in_batches(case.inputs(8).astype("uint8")), batch_norm=mode)
    assert error(c) < 2e-8


FAULTY = {
    "BatchNormalization": (L.BatchNormalization, "training"),
    "LayerNormalization": (L.LayerNormalization, "inference"),
    "GroupNormalization": (lambda **kwargs: L.GroupNormalization(3, **kwargs), "inference"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_the_stopped_gradient_of_moments_is_seen(name, monkeypatch):
    """With TensorFlow's own moments the three norms are off by per cents, symmetric, and refused by name."""
    monkeypatch.setattr(products, "differentiable_moments", contextlib.nullcontext)
    monkeypatch.setattr(blame, "differentiable_moments", contextlib.nullcontext)
    layer, mode = FAULTY[name]
    model = side_by_side((3, 3, 2), [layer(name="to_blame", **F64)])
    with pytest.raises(UserError, match=rf"second derivatives .* wrong: .*; to blame: to_blame \({name}\)$"):
        curvature(model, "mse", *examples(model), batch_norm=mode)


def test_a_constant_power_iteration_is_refused():
    """In training the direction that a spectral norm is taken along moves, and its gradient is stopped."""
    model = GROUPS["spectral"]()
    with pytest.raises(UserError, match=r"to blame: spectral_normalization\w* \(SpectralNormalization\)$"):
        curvature(model, "mse", *examples(model), batch_norm="training")


@pytest.mark.parametrize(
    "layer",
    [
        L.Activation("softsign", name="up", **F64),
        L.UpSampling2D(2, interpolation="bilinear", name="up", **F64),
        L.UpSampling2D(2, interpolation="bicubic", name="up", **F64),
        L.Resizing(5, 5, interpolation="bilinear", name="up", **F64),
        L.Resizing(5, 5, interpolation="nearest", name="up", **F64),
    ],
    ids=["softsign", "upsampling", "bicubic", "resizing", "nearest"],
)
def test_refused_by_name(layer):
    image = keras.Input((3, 3, 2), **F64)
    x = layer(L.Conv2D(3, 1, **F64)(image))
    model = keras.Model(image, dense(2)(L.Flatten(**F64)(L.Activation("tanh", **F64)(x))))
    with pytest.raises(UserError, match=rf"second derivative.*\bup \({type(layer).__name__}\)"):
        curvature(model, "mse", *examples(model))


def test_moments_are_tensorflows():
    x = tf.constant(normal(4, 3, 2))
    for axes, keep in (((0,), False), ((1, 2), True), ((0, 2), False)):
        for ours, theirs in zip(
            *(function(x, axes, keepdims=keep) for function in (moments.moments, tf.nn.moments)), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
