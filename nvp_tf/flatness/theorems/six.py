"""Theorem 6: and sharp in many directions at once."""

import numpy as np

from nvp_tf.flatness.theorems.lines import Line
from nvp_tf.flatness.theorems.networks import Rectified, rectified

SIZES = (5, 6, 4, 1)
BETAS = (1.0, 10.0, 100.0, 1000.0)
WANTED = 100.0


def check(seed: int = 0) -> list[Line]:
    """With a_k = 1 / b but a_K = b^(K - 1), at least r - n_K eigenvalues are at least lambda_r b^2; r the rank of H.

    The thesis writes "exists alpha > 0" where alpha is a vector, and its rank is a numerical one here: eigenvalues over
    1e-9 of the largest.
    """
    network = rectified(*SIZES, examples=400, seed=seed)
    theta = network.curvature.weights
    values = np.linalg.eigvalsh(network.hessian_at(theta))[::-1]
    rank = int((values > 1e-9 * values[0]).sum())
    last = SIZES[-2] * SIZES[-1]
    guaranteed, least = rank - last, values[rank - 1]
    hidden = sum(SIZES[1:-1])
    lines = [Line("rank of H: n less one for each hidden unit", "=", len(theta) - hidden, rank)]
    for beta in BETAS:
        found = _eigenvalues(network, theta, beta)
        count = int((found >= least * beta**2 * (1 - 1e-9)).sum())
        lines.append(
            Line(f"b = {beta:g}: eigenvalues at least lambda_r b^2 = {least * beta**2:.3g}", ">=", guaranteed, count)
        )
    beta = 1.01 * np.sqrt(WANTED / least)
    count = int((_eigenvalues(network, theta, beta) > WANTED).sum())
    lines.append(
        Line(f"b > sqrt(M / lambda_r), b = {beta:.3g}: eigenvalues above M = {WANTED:g}", ">=", guaranteed, count)
    )
    return lines


def _eigenvalues(network: Rectified, theta: np.ndarray, beta: float) -> np.ndarray:
    scale = network.scale(*[1 / beta] * (len(SIZES) - 2), beta ** (len(SIZES) - 2))
    return np.linalg.eigvalsh(network.hessian_at(scale * theta))
