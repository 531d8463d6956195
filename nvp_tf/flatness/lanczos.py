"""Lanczos' tridiagonal matrix of a symmetric operator, with full reorthogonalization."""

import numpy as np

from nvp_tf.flatness.operators import Operator


def tridiagonal(operator: Operator, start: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(diagonal [m], off-diagonal [m - 1]) of T = Q' A Q, Q an orthonormal basis of start, A start, A^2 start, ...

    m is `steps`, or less where the space is exhausted: T's quadrature is exact then. Without reorthogonalization,
    eigenvalues that have converged come up again and again, and their weight with them.

    Args:
      start: [dim], not 0.
    """
    steps = min(steps, operator.dim)
    basis = np.empty((steps, operator.dim))
    basis[0] = start / np.linalg.norm(start)
    diagonal, off = [], []
    largest = 0.0
    for j in range(steps):
        image = operator.product(basis[j])
        diagonal.append(float(basis[j] @ image))
        largest = max(largest, float(np.linalg.norm(image)))
        for _ in range(2):  # once leaves what rounding took
            image = image - basis[: j + 1].T @ (basis[: j + 1] @ image)
        norm = float(np.linalg.norm(image))
        if j + 1 == steps or norm <= 1e-12 * largest:
            break
        off.append(norm)
        basis[j + 1] = image / norm
    return np.array(diagonal), np.array(off)
