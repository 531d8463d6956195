"""Theorem 5: every minimum is as sharp as one pleases by spectral norm and trace."""

import numpy as np

from nvp_tf.flatness.theorems.lines import Line
from nvp_tf.flatness.theorems.networks import Rectified, rectified

ALPHAS = (1.0, 0.1, 0.01, 10.0, 100.0)
WANTED = 1e6


def check(seed: int = 0) -> list[Line]:
    """The norm is at least max(g1 a^-2, g2 a^2), g_k the largest diagonal entry of block k; the trace is known exactly.

    The thesis bounds the norm by r g1 a^-2, with r from the equivalence of norms: r = 1 / sqrt(n).
    """
    network = rectified(5, 7, 1, seed=seed)
    theta, middle = network.curvature.weights, network.starts[1]
    hessian = network.hessian_at(theta)
    diagonal = np.diag(hessian)
    largest = diagonal[:middle].max(), diagonal[middle:].max()
    traces = diagonal[:middle].sum(), diagonal[middle:].sum()
    lines = []
    for a in ALPHAS:
        moved = network.hessian_at(network.scale(a, 1 / a) * theta)
        norm = float(np.linalg.norm(moved, 2))
        lines.append(Line(f"a = {a:g}: spectral norm, max(g1 / a^2, g2 a^2)", ">=", _bound(largest, a), norm))
        trace = float(traces[0] / a**2 + traces[1] * a**2)
        lines.append(Line(f"a = {a:g}: trace, tr H11 / a^2 + tr H22 a^2", "=", trace, float(np.trace(moved))))
    lines.append(_exceeding(network, largest[0], theta))
    flattest = (traces[0] / traces[1]) ** 0.25
    found = float(np.trace(network.hessian_at(network.scale(flattest, 1 / flattest) * theta)))
    least = float(2 * np.sqrt(traces[0] * traces[1]))
    lines.append(Line(f"flattest by trace, a^4 = tr H11 / tr H22: a = {flattest:.4g}", "=", least, found))
    rank = int(np.linalg.matrix_rank(hessian, tol=1e-9 * np.linalg.norm(hessian, 2), hermitian=True))
    return [*lines, Line("rank of H: n less one for each hidden unit", "=", len(theta) - 7, rank)]


def _bound(largest: tuple[float, float], alpha: float) -> float:
    return float(max(largest[0] / alpha**2, largest[1] * alpha**2))


def _exceeding(network: Rectified, largest: float, theta: np.ndarray) -> Line:
    """The thesis' own choice of alpha for a wanted norm."""
    a = 0.99 * np.sqrt(largest / np.sqrt(len(theta)) / WANTED)
    norm = float(np.linalg.norm(network.hessian_at(network.scale(a, 1 / a) * theta), 2))
    return Line(f"a < sqrt(r g1 / M), a = {a:.3g}: spectral norm, M = {WANTED:g}", ">=", WANTED, norm)
