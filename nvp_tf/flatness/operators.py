"""A symmetric matrix that is known by its products alone."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.linalg import LinearOperator

from nvp_tf.errors import UserError
from nvp_tf.flatness.blocks import Block
from nvp_tf.flatness.curvature import Curvature


@dataclass(frozen=True)
class Operator:
    """A [dim, dim], symmetric.

    product: v [dim] -> A v [dim].
    blocks: what the entries are, where that is known.
    seconds: of one product, as measured; NaN where it is not known.
    """

    dim: int
    product: Callable[[np.ndarray], np.ndarray]
    name: str = "A"
    blocks: tuple[Block, ...] = ()
    seconds: float = float("nan")

    def scaled(self, d: np.ndarray) -> "Operator":
        """D A D with D = diag(d): with the weights for d, no rescaling that leaves the function alone moves it.

        A weight that is 0 drops out of it.
        """
        d = np.asarray(d, np.float64)
        if d.shape != (self.dim,):
            raise UserError(f"d has shape {d.shape}, expected ({self.dim},)")
        return replace(self, product=lambda v: d * self.product(d * v), name=f"D {self.name} D")

    def reflected(self, c: float) -> "Operator":
        """c I - A, whose largest eigenvalues are c minus A's smallest."""
        return replace(self, product=lambda v: c * v - self.product(v), name=f"{c:g} - {self.name}")

    def counting(self, after: Callable[[int], None]) -> "Operator":
        """The same; `after` is called after each product with how many there were."""
        done = 0

        def product(v: np.ndarray) -> np.ndarray:
            nonlocal done
            value = self.product(v)
            done += 1
            after(done)
            return value

        return replace(self, product=product)

    def linear_operator(self) -> LinearOperator:
        """As scipy takes it."""
        shape = (self.dim, self.dim)
        return LinearOperator(shape, matvec=lambda v: self.product(np.asarray(v).reshape(-1)), dtype=np.float64)

    def dense(self) -> np.ndarray:
        """[dim, dim], by `dim` products; for small ones."""
        return np.stack([self.product(unit) for unit in np.eye(self.dim)], axis=1)


def of_matrix(matrix: np.ndarray, blocks: Sequence[Block] = ()) -> Operator:
    """A symmetric array as an operator."""
    start = time.perf_counter()
    matrix @ np.ones(len(matrix))
    seconds = time.perf_counter() - start
    return Operator(len(matrix), lambda v: matrix @ v, "A", tuple(blocks), seconds)


def hessian(curvature: Curvature, at: np.ndarray | None = None) -> Operator:
    """H, at the weights `at` (None: the model's)."""
    return Operator(curvature.dim, lambda v: curvature.hessian(v, at), "H", curvature.blocks, curvature.seconds)


def gauss_newton(curvature: Curvature) -> Operator:
    """G = (1/N) sum J' B J. Raises UserError for a density."""
    curvature.gauss_newton(np.zeros(curvature.dim))
    return Operator(curvature.dim, curvature.gauss_newton, "G", curvature.blocks, curvature.seconds)


def fisher(curvature: Curvature, kind: str = "model") -> Operator:
    """F, as `Curvature.fisher`. Raises UserError where the loss has none of that kind."""
    curvature.check_fisher(kind)
    return Operator(curvature.dim, lambda v: curvature.fisher(v, kind=kind), "F", curvature.blocks, curvature.seconds)
