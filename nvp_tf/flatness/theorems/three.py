"""Theorem 3: every minimum is infinitely flat by volume."""

import numpy as np

from nvp_tf.flatness.theorems.lines import Line
from nvp_tf.flatness.theorems.networks import Rectified, rectified

RADIUS = 0.01  # of the box, in units of max |theta_1|
POINTS = 200  # drawn in a box


def check(seed: int = 0) -> list[Line]:
    """vol T_a(B) = vol(B) a^(n1 - n2); with n1 = n2, boxes of one volume that do not meet, the loss low in each."""
    lines = []
    network = rectified(5, 7, 1, seed=seed)
    n1, n2 = 5 * 7, 7 * 1
    for alpha in (0.1, 10.0):
        found = np.linalg.slogdet(_jacobian(network, alpha))[1] / np.log(10)
        lines.append(Line(f"5-7-1: log10 |det T_a|, a = {alpha:g}", "=", (n1 - n2) * np.log10(alpha), float(found)))
    return lines + _boxes(seed)


def _jacobian(network: Rectified, alpha: float) -> np.ndarray:
    """Of theta -> T_alpha theta, by the map's own values at the unit vectors."""
    return np.stack([network.scale(alpha, 1 / alpha) * column for column in np.eye(network.curvature.dim)], axis=1)


def _boxes(seed: int) -> list[Line]:
    """Of n1 = n2: 3-4-3."""
    network = rectified(3, 4, 3, seed=seed)
    curvature, middle = network.curvature, network.starts[1]
    theta = curvature.weights
    largest = np.abs(theta[:middle]).max()
    radius = RADIUS * largest
    alpha = 2 * (largest + radius) / (largest - radius)
    place = np.abs(theta[:middle]).argmax()
    highest, lowest = largest + radius, alpha * (abs(theta[place]) - radius)
    scale = network.scale(alpha, 1 / alpha)
    sides = 2 * radius * np.abs(scale)
    points = theta + np.random.default_rng(seed).uniform(-radius, radius, (POINTS, len(theta)))
    low = np.array([curvature.loss(at=point) for point in points])
    moved = np.array([curvature.loss(at=scale * point) for point in points])
    return [
        Line("3-4-3: that coordinate of T_a B at least, over that of B at most", ">=", 2, float(lowest / highest)),
        Line("3-4-3: log vol T_a B - log vol B", "=", 0, float(np.log(sides / (2 * radius)).sum()), 1e-10),
        Line("largest |L(T_a p) - L(p)| of points of the box", "<=", 0, float(np.abs(moved - low).max()), 1e-13),
        Line("largest loss in T_a B, over that in B", "=", 1, float(moved.max() / low.max())),
    ]
