"""The ends of a spectrum, with residuals: by Lanczos (scipy), or by power iteration where its basis would not fit."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from nvp_tf.errors import UserError
from nvp_tf.flatness.operators import Operator

_SPARE = 0.5  # of the memory that is free, what a basis may take
_RESTARTS = 100  # of Lanczos, at most; each takes about 18 products
_POWERS = 500  # products of a power iteration, at most


@dataclass(frozen=True)
class Eigenvalues:
    """Eigenvalues of a symmetric A, each with a vector and how well it is one.

    values: [k]; from the largest down for `top`, from the smallest up for `bottom`.
    residuals: [k], |A v - value v| of the unit vector v. Some eigenvalue is that near to the value.
    vectors: [dim, k].
    products: how many it took.
    method: "lanczos" or "power".
    """

    values: np.ndarray
    residuals: np.ndarray
    vectors: np.ndarray
    products: int
    method: str


def top(
    operator: Operator,
    k: int = 1,
    *,
    tolerance: float = 1e-10,
    seed: int = 0,
    memory: float | None = None,
    say: Callable[[str], None] | None = None,
) -> Eigenvalues:
    """The k largest eigenvalues (algebraic).

    Args:
      tolerance: of an eigenvalue, relative to it; 1e-2 takes a quarter of the products.
      seed: of the vector that is begun with.
      memory: bytes that a basis may take; None for half of what is free. Above it, power iteration.
      say: is told the products, seconds and bytes before they are spent.

    Raises:
      UserError: k below 1 or above dim; k above 1 where only a power iteration fits.
    """
    if not 1 <= k <= operator.dim:
        raise UserError(f"k is {k}, expected 1 to {operator.dim}")
    needed, allowed = basis_bytes(operator.dim, k), _free_bytes() if memory is None else memory
    text = f"{k} largest eigenvalues of {operator.name}, basis {needed / 1e6:.4g} MB of {allowed / 1e6:.4g} MB allowed"
    if needed > allowed:
        if k > 1:
            raise UserError(f"{text}: expected k = 1, by power iteration, or more memory")
        _say(say, f"{text}: power iteration instead, at most {2 * _POWERS} products", operator, 2 * _POWERS)
        return _by_power(operator, tolerance, seed)
    expected = min(operator.dim, 15 + 10 * k)
    _say(say, f"{text}: Lanczos, about {expected} products", operator, expected)
    return _by_lanczos(operator, k, tolerance, seed)


def bottom(
    operator: Operator,
    k: int = 1,
    *,
    largest: float,
    tolerance: float = 1e-6,
    seed: int = 0,
    memory: float | None = None,
    say: Callable[[str], None] | None = None,
) -> Eigenvalues:
    """The k smallest eigenvalues (algebraic), as the largest of `largest` I - A.

    Asked for directly, hundreds of eigenvalues near 0 keep Lanczos from ever reaching a tolerance relative to them.

    Args:
      largest: A's largest eigenvalue, as `top` finds it; the tolerance is relative to the distance from it.

    Raises:
      UserError: as `top`.
    """
    shift = largest if largest > 0 else 0.0
    found = top(operator.reflected(shift), k, tolerance=tolerance, seed=seed, memory=memory, say=say)
    return Eigenvalues(shift - found.values, found.residuals, found.vectors, found.products, found.method)


def basis_bytes(dim: int, k: int) -> int:
    """What Lanczos keeps for k eigenvalues: (ncv + 3) vectors of float64."""
    return (_basis(dim, k) + 3) * dim * 8


@dataclass(frozen=True)
class Verdict:
    """Whether a point is a minimum, as far as its gradient and the ends of its spectrum tell.

    decrease: what one step down the gradient, of length |g| / largest, takes from the loss to second order.
    """

    is_minimum: bool
    text: str
    gradient_norm: float
    largest: float
    smallest: float
    decrease: float


def minimum(loss: float, gradient: np.ndarray, largest: Eigenvalues, smallest: Eigenvalues) -> Verdict:
    """No minimum has a negative eigenvalue, or a gradient that still leads down.

    An eigenvalue counts as negative when its residual and 1e-6 of the largest do not explain it, a gradient when one
    step takes more than 1e-6 (1 + |loss|) from the loss.
    """
    norm, high = float(np.linalg.norm(gradient)), float(largest.values[0])
    low, doubt = float(smallest.values[0]), float(smallest.residuals[0])
    decrease = norm**2 / (2 * high) if high > 0 else (0.0 if norm == 0 else math.inf)
    reasons = []
    if low < -max(doubt, 1e-6 * abs(high)):
        reasons.append(f"it curves down: its smallest eigenvalue is {low:.4g} (residual {doubt:.1g})")
    if decrease > 1e-6 * (1 + abs(loss)):
        reasons.append(f"its gradient is {norm:.4g}, and one step down it would take {decrease:.2g} from {loss:.4g}")
    text = (
        "no minimum: " + "; ".join(reasons)
        if reasons
        else (f"a minimum, as far as can be told: gradient {norm:.2g}, smallest eigenvalue {low:.2g} of {high:.4g}")
    )
    return Verdict(not reasons, text, norm, high, low, decrease)


def _basis(dim: int, k: int) -> int:
    return min(dim, max(2 * k + 1, 20))


def _by_lanczos(operator: Operator, k: int, tolerance: float, seed: int) -> Eigenvalues:
    products = 0

    def count(number: int) -> None:
        nonlocal products
        products = number

    counted = operator.counting(count)
    start = np.random.default_rng(seed).standard_normal(operator.dim)
    if not np.any(counted.product(start)):  # ARPACK refuses a matrix of zeros
        return Eigenvalues(np.zeros(k), np.zeros(k), np.eye(operator.dim, k), products, "lanczos")
    if k > operator.dim - 2:  # ARPACK wants more room than that
        values, vectors = np.linalg.eigh(counted.dense())
        values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    else:
        try:
            values, vectors = eigsh(
                counted.linear_operator(),
                k,
                which="LA",
                ncv=_basis(operator.dim, k),
                v0=start,
                maxiter=_RESTARTS,
                tol=tolerance,
            )
        except ArpackNoConvergence as error:
            raise UserError(
                f"{len(error.eigenvalues)} of {k} eigenvalues of {operator.name} converged in {products} products; "
                f"expected a tolerance above {tolerance:g}"
            ) from None
        order = np.argsort(values)[::-1]
        values, vectors = values[order], vectors[:, order]
    residuals = [np.linalg.norm(counted.product(v) - value * v) for value, v in zip(values, vectors.T, strict=True)]
    return Eigenvalues(values, np.array(residuals), vectors, products, "lanczos")


def _by_power(operator: Operator, tolerance: float, seed: int) -> Eigenvalues:
    """The eigenvalue of largest modulus; where that is negative, the largest of A minus it."""
    value, v, residual, products = _power(operator, tolerance, seed)
    if value < 0:
        top_of_rest, v, residual, more = _power(operator.reflected(value), tolerance, seed)
        value, products = value - top_of_rest, products + more
    return Eigenvalues(np.array([value]), np.array([residual]), v[:, None], products, "power")


def _power(operator: Operator, tolerance: float, seed: int) -> tuple[float, np.ndarray, float, int]:
    """(value, unit vector, residual, products) until the value is within tolerance: residual^2 says so, to the gap."""
    image = np.random.default_rng(seed).standard_normal(operator.dim)
    value, products, done = math.inf, 0, False
    while not done and products < _POWERS:
        last, v = value, image / np.linalg.norm(image)
        image, products = operator.product(v), products + 1
        value, norm = float(v @ image), float(np.linalg.norm(image))
        residual = float(np.linalg.norm(image - value * v))
        settled = abs(value - last) <= 0.1 * tolerance * abs(value)
        done = norm == 0 or (settled and residual <= math.sqrt(tolerance) * norm)
    return value, v, residual, products


def _free_bytes() -> float:
    """Half of what Linux could give without swapping."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    [available] = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return _SPARE * 1024 * int(available)


def _say(say: Callable[[str], None] | None, text: str, operator: Operator, products: int) -> None:
    if say is not None:
        say(f"{text}, {products * operator.seconds:.2g} s")
