"""Theorem 1: the rectifier is non-negative homogeneous, and so are its kin."""

import keras
import numpy as np

from nvp_tf.flatness.theorems.lines import Line
from nvp_tf.flatness.theorems.networks import rectified

ALPHAS = (0.0, 1e-3, 0.7, 1e3)


def check(seed: int = 0) -> list[Line]:
    """phi(alpha z) = alpha phi(z) for alpha >= 0, for relu, leaky relu, no activation and maxout; not for alpha < 0."""
    z = np.random.default_rng(seed).standard_normal((1000, 2))
    activations = {
        "relu": keras.activations.relu,
        "leaky relu": keras.activations.leaky_relu,
        "linear": keras.activations.linear,
        "maxout": lambda z: np.max(z, axis=1),
    }
    lines = []
    for name, phi in activations.items():
        error = max(np.abs(np.asarray(phi(a * z)) - a * np.asarray(phi(z))).max() / max(a, 1) for a in ALPHAS)
        lines.append(Line(f"{name}: largest |phi(a z) - a phi(z)| / max(a, 1), a = 0 to 1e3", "<=", 0, error, 1e-14))
    relu = keras.activations.relu
    error = np.abs(np.asarray(relu(-z)) + np.asarray(relu(z))).max()
    lines.append(Line("relu at a = -1: largest |phi(-z) + phi(z)| = max |z|", "=", np.abs(z).max(), error))
    return [*lines, _network(seed)]


def _network(seed: int) -> Line:
    """relu(x (a th1)) th2 = relu(x th1) (a th2)."""
    network = rectified(5, 7, 1, seed=seed)
    first, second = network.model.get_weights()
    outputs = []
    for weights in ([10 * first, second], [first, 10 * second]):
        network.model.set_weights(weights)
        outputs.append(network.model(network.x).numpy())
    difference = np.abs(outputs[0] - outputs[1]).max() / np.abs(outputs[0]).max()
    return Line("5-7-1: |relu(x 10 th1) th2 - relu(x th1) 10 th2|, of the largest", "<=", 0, difference, 1e-14)
