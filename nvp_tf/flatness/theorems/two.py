"""Theorem 2: the loss is not Lipschitz continuous, for the gradient grows without bound along one function."""

import numpy as np

from nvp_tf.flatness.theorems.lines import Line
from nvp_tf.flatness.theorems.networks import rectified

ALPHAS = 10.0 ** np.arange(-4, 5)


def check(seed: int = 0) -> list[Line]:
    """||grad L(T_a th)||^2 = a^-2 ||g1||^2 + a^2 ||g2||^2, with slopes -1 and +1 of its logarithm at the ends."""
    network = rectified(5, 7, 1, seed=seed, minimum=False)
    curvature = network.curvature
    theta, middle = curvature.weights, network.starts[1]
    gradient = curvature.gradient()
    first, second = np.linalg.norm(gradient[:middle]), np.linalg.norm(gradient[middle:])
    measured = np.array([np.linalg.norm(curvature.gradient(at=network.scale(a, 1 / a) * theta)) for a in ALPHAS])
    lines = [
        Line(f"||grad L(T_a th)||, a = {a:g}", "=", float(np.hypot(first / a, second * a)), float(found))
        for a, found in zip(ALPHAS, measured, strict=True)
    ]
    slopes = np.diff(np.log10(measured))
    lines.append(Line("slope of log ||grad|| in log a, a -> 0", "=", -1, float(slopes[0]), 1e-6))
    lines.append(Line("slope of log ||grad|| in log a, a -> infinity", "=", 1, float(slopes[-1]), 1e-6))
    losses = [curvature.loss(at=network.scale(a, 1 / a) * theta) for a in ALPHAS]
    lines.append(
        Line("largest change of the loss meanwhile, relative", "<=", 0, float(np.ptp(losses) / losses[0]), 1e-13)
    )
    return lines
