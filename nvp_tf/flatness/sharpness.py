"""epsilon-sharpness: how much the loss can rise nearby, found by ascent.

    sharpness = max over |delta| <= epsilon of (L(th + delta) - L(th)) / (1 + L(th))    (thesis 3.1; Keskar et al. 2017)

What is found is the best point of several ascents: a lower bound of the maximum. The loss of a density may be negative:
L in the divisor is its modulus.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.flatness.curvature import Curvature

SHAPES = ("ball", "box")
_HALVINGS = 6


@dataclass(frozen=True)
class Sharpness:
    """The best point of the ascents.

    value: (loss_found - loss) / (1 + |loss|), at most the true sharpness; 0 where no higher point was found.
    step: [dim], from the weights to the point.
    gradients: how many gradients of the loss it took.
    """

    value: float
    loss: float
    loss_found: float
    step: np.ndarray
    gradients: int


@dataclass(frozen=True)
class Neighbourhood:
    """{T * (A u)}: |u| <= epsilon in the 2-norm (ball) or in each entry (box).

    scale: T, [dim], or 1. It makes a neighbourhood that is rescaled with the weights where it is |th| (adaptive).
    basis: A [dim, p] with orthonormal columns, a random subspace; None for the whole space.
    """

    epsilon: float
    shape: str
    scale: np.ndarray | float
    basis: np.ndarray | None

    def step(self, u: np.ndarray) -> np.ndarray:
        return self.scale * (u if self.basis is None else self.basis @ u)

    def pulled(self, gradient: np.ndarray) -> np.ndarray:
        """The gradient in u of what has that gradient in the step."""
        return self.scale * gradient if self.basis is None else self.basis.T @ (self.scale * gradient)

    def farthest(self, direction: np.ndarray) -> np.ndarray:
        """The u of the neighbourhood that is farthest along a direction; 0 where that is 0."""
        if self.shape == "box":
            return self.epsilon * np.sign(direction)
        norm = np.linalg.norm(direction)
        return self.epsilon * direction / norm if norm > 0 else direction


def sharpness(
    curvature: Curvature,
    epsilon: float,
    *,
    shape: str = "ball",
    subspace: int | None = None,
    adaptive: bool = False,
    steps: int = 30,
    starts: Sequence[np.ndarray] = (),
    restarts: int = 2,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> Sharpness:
    """The best point of ascents from random points of the neighbourhood and along each of `starts`.

    A step goes towards the point of the neighbourhood that is farthest along the gradient, as far as the loss rises:
    all of the way, or half of it, and so on. Of a convex loss the whole way always does, and for a quadratic in a ball
    it is a power iteration.

    Args:
      epsilon: the radius.
      shape: "ball", |delta|_2 <= epsilon; or "box", |delta_i| <= epsilon (|th_i| + 1) (Keskar et al. 2017).
      subspace: p, for delta in a random subspace of that dimension; in a box |u_i| <= epsilon, u of the subspace.
      adaptive: delta_i = |th_i| u_i with u in the ball or box of radius epsilon, unmoved by a rescaling of the weights
        (Kwon et al. 2021).
      steps: of each ascent, at most; a step costs a gradient, or a few.
      starts: directions [dim] to begin along, such as the top eigenvector; both ways of each are tried.
      restarts: random beginnings.

    Raises:
      UserError: an epsilon that is not positive and finite, another shape, a subspace of no or too many dimensions.
    """
    where = _neighbourhood(curvature, epsilon, shape, subspace, adaptive, seed)
    rng = np.random.default_rng(seed + 1)
    size = curvature.dim if where.basis is None else where.basis.shape[1]
    directions = [sign * where.pulled(np.asarray(v)) for v in starts for sign in (1, -1)]
    directions += [rng.standard_normal(size) for _ in range(restarts)]
    if say is not None:
        say(f"sharpness: {len(directions)} ascents of at most {steps} steps, a gradient or more each")
    loss, gradient = curvature.loss_and_gradient()
    directions = [where.pulled(gradient), *directions]
    best = Sharpness(0.0, loss, loss, np.zeros(curvature.dim), 1)
    taken = 1
    for direction in directions:
        found, u, gradients = _ascend(curvature, where, loss, where.farthest(direction), steps)
        taken += gradients
        if found > best.loss_found:
            best = Sharpness((found - loss) / (1 + abs(loss)), loss, found, where.step(u), taken)
    return Sharpness(best.value, loss, best.loss_found, best.step, taken)


def second_order(loss: float, largest: float, epsilon: float) -> float:
    """epsilon^2 lambda_max / (2 (1 + L)), the sharpness in a ball of a quadratic (thesis 3.1)."""
    return epsilon**2 * largest / (2 * (1 + abs(loss)))


def _neighbourhood(
    curvature: Curvature, epsilon: float, shape: str, subspace: int | None, adaptive: bool, seed: int
) -> Neighbourhood:
    if not 0 < epsilon < math.inf:
        raise UserError(f"epsilon is {epsilon}, expected a positive number")
    if shape not in SHAPES:
        raise UserError(f"shape is {shape!r}, expected one of {', '.join(SHAPES)}")
    if subspace is not None and not 1 <= subspace <= curvature.dim:
        raise UserError(f"subspace is {subspace}, expected 1 to {curvature.dim} dimensions")
    scale, basis = 1.0, None
    if adaptive:
        scale = np.abs(curvature.weights)
    elif shape == "box" and subspace is None:
        scale = np.abs(curvature.weights) + 1
    if subspace is not None:
        draws = np.random.default_rng(seed).standard_normal((curvature.dim, subspace))
        basis = np.linalg.qr(draws)[0]
    return Neighbourhood(epsilon, shape, scale, basis)


def _ascend(
    curvature: Curvature, where: Neighbourhood, base: float, u: np.ndarray, steps: int
) -> tuple[float, np.ndarray, int]:
    """(loss, u, gradients taken) of the highest point on the way up from u; losses that are not finite do not count."""
    loss, gradient = curvature.loss_and_gradient(curvature.weights + where.step(u))
    if not math.isfinite(loss):
        return -math.inf, u, 1
    taken = 1
    for _ in range(steps):
        goal, risen = where.farthest(where.pulled(gradient)), False
        for halving in range(_HALVINGS):
            trial = u + 0.5**halving * (goal - u)
            higher, at_trial = curvature.loss_and_gradient(curvature.weights + where.step(trial))
            taken += 1
            if math.isfinite(higher) and higher > loss:
                risen = higher - loss > 1e-4 * (higher - base)
                loss, gradient, u = higher, at_trial, trial
                break
        if not risen:
            break
    return loss, u, taken
