"""Theorem 4: gradient and Hessian move with T, D g and D H D."""

import numpy as np

from nvp_tf.flatness.theorems.lines import Line
from nvp_tf.flatness.theorems.networks import rectified

NETWORKS = {"5-7-1": ((5, 7, 1), (10.0, 0.1)), "5-6-4-1": ((5, 6, 4, 1), (0.25, 10.0, 0.4))}


def check(seed: int = 0) -> list[Line]:
    """At no minimum, of two and of three layers: against products, and against differences of gradients."""
    lines = []
    for name, (sizes, alphas) in NETWORKS.items():
        network = rectified(*sizes, seed=seed, minimum=False)
        curvature, scale = network.curvature, network.scale(*alphas)
        theta, d = curvature.weights, 1 / scale
        expected = d * curvature.gradient()
        error = np.abs(curvature.gradient(at=scale * theta) - expected).max() / np.abs(expected).max()
        lines.append(Line(f"{name}: gradient at T(th) against D g, of the largest", "<=", 0, float(error), 1e-12))
        expected = d[:, None] * network.hessian_at(theta) * d
        error = np.abs(network.hessian_at(scale * theta) - expected).max() / np.abs(expected).max()
        lines.append(Line(f"{name}: Hessian at T(th) against D H D, of the largest", "<=", 0, float(error), 1e-12))
        v = np.random.default_rng(seed).standard_normal(len(theta)) * scale
        step = 1e-7
        ends = [curvature.gradient(at=scale * theta + sign * step * v) for sign in (1, -1)]
        found = (ends[0] - ends[1]) / (2 * step)
        error = np.abs(found - expected @ v).max() / np.abs(found).max()
        lines.append(Line(f"{name}: D H D v against differences of gradients", "<=", 0, float(error), 1e-6))
    return lines
