"""Curvature as a metric sees it: the eigenvalues of F^-1 H, which no smooth change of the weights moves at a minimum.

With th = Phi(eta) and J its Jacobian, F_eta = J' F J always and H_eta = J' H J at a minimum, so that F_eta^-1 H_eta is
J^-1 F^-1 H J: similar (Kristiadi, Dangel and Hennig 2023). Dense, for small networks.
"""

from dataclasses import dataclass

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.operators import fisher, hessian

LIMIT = 2000


@dataclass(frozen=True)
class MetricEigenvalues:
    """Of F^-1 H on the range of F, descending.

    rank: of F; in the other dim - rank directions the weights have no effect on the outputs, to first order.
    outside: |H - P H P| / |H| with P onto that range, of D H D: not 0 where H bends in directions that F does not see,
      as it may where the gradient is not 0; the eigenvalues then depend on the weights chosen.
    """

    values: np.ndarray
    rank: int
    outside: float


def metric_eigenvalues(
    curvature: Curvature, kind: str | None = None, *, limit: int = LIMIT, tolerance: float = 1e-9
) -> MetricEigenvalues:
    """Eigenvalues of F^-1 H, by 2 dim products and dense factorizations.

    Both matrices are first scaled to D F D and D H D, D = diag(|th|), which changes no eigenvalue, so that a network
    and its rescaled twins have the same rank.

    Args:
      kind: of the Fisher matrix, as `Curvature.fisher`; None for "model" where the loss is a likelihood.
      limit: of the weights.
      tolerance: of F's eigenvalues, relative to the largest, below which they count as 0.

    Raises:
      UserError: more weights than `limit`; F that is 0.
    """
    if curvature.dim > limit:
        raise UserError(f"there are {curvature.dim} weights, expected at most {limit}: F^-1 H is dense")
    if kind is None:
        kind = "model" if curvature.loss_function.is_likelihood else "empirical"
    size = np.abs(curvature.weights)
    size = np.where(size > 0, size, size[size > 0].min(initial=1.0))
    f = fisher(curvature, kind).scaled(size).dense()
    h = hessian(curvature).scaled(size).dense()
    f, h = (f + f.T) / 2, (h + h.T) / 2
    values, vectors = np.linalg.eigh(f)
    kept = values > tolerance * values[-1]
    if values[-1] <= 0 or not kept.any():
        raise UserError("the Fisher matrix is 0: no weight has an effect on the outputs")
    whitener = vectors[:, kept] / np.sqrt(values[kept])
    projected = vectors[:, kept] @ (vectors[:, kept].T @ h @ vectors[:, kept]) @ vectors[:, kept].T
    norm = np.linalg.norm(h)
    outside = float(np.linalg.norm(h - projected) / norm) if norm > 0 else 0.0
    return MetricEigenvalues(np.linalg.eigvalsh(whitener.T @ h @ whitener)[::-1], int(kept.sum()), outside)
