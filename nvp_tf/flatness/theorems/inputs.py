"""Section 3.5.2: the size of the gradient in the input depends on how the input is represented."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.flatness.bijective import Power
from nvp_tf.flatness.theorems.lines import Line
from nvp_tf.layers.base import Bijective
from nvp_tf.layers.chain import Chain
from nvp_tf.layers.scaling import Scaling
from nvp_tf.layers.whitening import Whitening

SIZE, EXAMPLES = 4, 50


def check(seed: int = 0) -> list[Line]:
    """f_u = f o xi^-1: df_u/du at u is df/dx at xi^-1(u) times d xi^-1/du. The thesis prints the left side at xi(u)."""
    rng = np.random.default_rng(seed)
    model = classifier(seed)
    x = rng.standard_normal((EXAMPLES, SIZE)) @ rng.standard_normal((SIZE, SIZE))
    lines = []
    for name, xi in representations(x).items():
        u = xi.forward(x)[0].numpy()
        through = lambda u, xi=xi: model(xi.inverse(u)[0])  # noqa: E731
        change = np.abs(through(tf.constant(u)).numpy() - model(x).numpy()).max()
        lines.append(Line(f"{name}: change of the predictions", "<=", 0, float(change), 1e-12))
        by_differences, formula = gradient_by_differences(through, u), chain_rule(model, xi, u)
        error = np.abs(by_differences - formula).max() / np.abs(formula).max()
        lines.append(Line(f"{name}: df_u/du at u against the chain rule", "<=", 0, float(error), 1e-7))
        wrong = gradient_by_differences(through, xi.forward(tf.constant(u))[0].numpy())
        error = np.abs(wrong - formula).max() / np.abs(formula).max()
        lines.append(Line(f"{name}: at xi(u), as printed: the relative error, not 0", ">=", 0.01, float(error)))
        ratio = np.linalg.norm(formula, axis=1).mean() / np.linalg.norm(input_gradient(model, x), axis=1).mean()
        lines.append(
            Line(f"{name}: mean ||df_u/du|| over mean ||df/dx||, which may be anything", ">=", 0, float(ratio))
        )
    return lines


def classifier(seed: int) -> keras.Model:
    """The log-odds of two classes, in float64, with random weights."""
    rng = np.random.default_rng(seed)
    layers = [keras.layers.Dense(8, activation="tanh", dtype="float64"), keras.layers.Dense(1, dtype="float64")]
    model = keras.Sequential([keras.Input((SIZE,), dtype="float64"), *layers])
    model.set_weights([0.5 * rng.standard_normal(w.shape) for w in model.weights])
    return model


def representations(x: np.ndarray) -> dict[str, Bijective]:
    """Preprocessings as this project's layers: rescaled, whitened, and a curved one on top."""
    scaling, whitening, power = Scaling(dtype="float64"), Whitening(dtype="float64"), Power(-0.3, 0.01, dtype="float64")
    curved = Chain([Whitening(dtype="float64"), power], dtype="float64")
    for layer in (scaling, whitening, curved):
        layer.build((None, x.shape[1]))
    scaling.log_scale.assign(np.full(x.shape[1], -np.log(1e3)))
    for layer in (whitening, curved.layers[0]):
        layer.fit(x.mean(axis=0), np.cov(x.T))
    return {"x / 1000": scaling, "whitened": whitening, "whitened, then powers": curved}


def gradient_by_differences(
    function: Callable[[tf.Tensor], tf.Tensor], at: np.ndarray, step: float = 1e-5
) -> np.ndarray:
    """[n, D] of a function [n, D] -> [n, 1], row by row; the step is relative to each entry's spread."""
    spread = np.abs(at).mean(axis=0) * step
    columns = []
    for i, size in enumerate(spread):
        move = size * np.eye(at.shape[1])[i]
        ends = [function(tf.constant(at + sign * move)).numpy()[:, 0] for sign in (1, -1)]
        columns.append((ends[0] - ends[1]) / (2 * size))
    return np.stack(columns, axis=1)


def input_gradient(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """df/dx, [n, D]."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(model(x))
    return tape.gradient(total, x).numpy()


def chain_rule(model: keras.Model, xi: Bijective, u: np.ndarray) -> np.ndarray:
    """df/dx at xi^-1(u), times d xi^-1/du at u."""
    u = tf.constant(u)
    with tf.GradientTape() as tape:
        tape.watch(u)
        x, _ = xi.inverse(u)
    jacobian = tape.batch_jacobian(x, u).numpy()
    return np.einsum("ni,nij->nj", input_gradient(model, x.numpy()), jacobian)
