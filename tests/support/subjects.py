"""Small models with data as curvature takes them, and quadratic losses whose every measure is known."""

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.flatness.batches import in_batches
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.losses import Loss, loss_of

L = keras.layers
F64 = {"dtype": "float64"}


def curvature(model, loss, x, y, batch_size=16, **options):
    return Curvature(model, loss_of(loss), in_batches(x, y, batch_size), **options)


def sequential(shape, *layers):
    return keras.Sequential([keras.Input(shape, **F64), *layers])


def dense(*args, **kwargs):
    return L.Dense(*args, **kwargs, **F64)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def from_teacher(*sizes, n=200, **options):
    """A rectified network whose targets are its own outputs: loss 0, gradient 0, H = G."""
    model = sequential(sizes[:1], *[dense(s, activation="relu", use_bias=False) for s in sizes[1:-1]],
                       dense(sizes[-1], use_bias=False))  # fmt: skip
    x = normal(n, sizes[0])
    return curvature(model, "mse", x, model(x).numpy(), batch_size=n, **options)


def quadratic(matrix, centre=None, offset=0.0, n=3):
    """L(th) = offset + (th - centre)' A (th - centre) / 2, of a model whose one weight tensor is at `centre`."""
    matrix = np.asarray(matrix)
    dim = len(matrix)
    centre = np.zeros(dim) if centre is None else np.asarray(centre)
    model = sequential((1,), dense(dim, use_bias=False))

    def loss(y_true, y_pred):
        apart = y_pred - centre
        return offset + tf.reduce_sum(apart * (apart @ matrix), axis=1) / 2

    model.layers[0].kernel.assign(centre[None])
    return Curvature(model, Loss("quadratic", lambda z, y: loss(y, z)), in_batches(np.ones((n, 1)), np.zeros(n)))


def symmetric(dim, seed=0):
    a = normal(dim, dim, seed=seed)
    return (a + a.T) / 2


def with_eigenvalues(values, seed=0):
    q = np.linalg.qr(normal(len(values), len(values), seed=seed))[0]
    return q @ np.diag(values) @ q.T


def by_differences(at_weights, weights, v, steps=(1e-5, 1e-6, 1e-7)):
    """[(g(th + e v) - g(th - e v)) / 2e for each step e]."""
    return [(at_weights(weights + e * v) - at_weights(weights - e * v)) / (2 * e) for e in steps]
