"""Section 3.4.3: every minimum is sharp in its neighbourhood, in the whole space and in random directions."""

import numpy as np

from nvp_tf.flatness.theorems.lines import Line
from nvp_tf.flatness.theorems.networks import Rectified, rectified

EPSILON = 0.1
DRAWS = 200


def check(seed: int = 0) -> list[Line]:
    """From a = ||th2|| / epsilon on, the ball of radius epsilon about T_a th holds a constant function.

    The thesis writes T_a th = (a th1, epsilon th2 / ||th2||), which is so for that a alone. In random directions its
    argument has a gap: |epsilon u . e| >= ||th2|| / a makes the function constant only where th2 has one entry.
    The conclusion stands, for a loss without bound: the output at T_a th + epsilon u grows as a epsilon.
    """
    network = rectified(5, 7, 1, seed=seed)
    theta, middle = network.curvature.weights, network.starts[1]
    norm = float(np.linalg.norm(theta[middle:]))
    alpha = 1.01 * norm / EPSILON
    moved = network.scale(alpha, 1 / alpha) * theta
    constant = moved.copy()
    constant[middle:] = 0
    targets = network.outputs(theta[None])[0]
    best = float(((targets - targets.mean(axis=0)) ** 2).mean())
    found = network.curvature.loss(at=constant)  # the loss at T_a th is 0
    step = np.linalg.norm(constant - moved)
    return [
        Line(f"a = {alpha:.4g}: distance of (a th1, 0) from T_a th, epsilon = {EPSILON}", "<=", EPSILON, float(step)),
        Line("sharpness there, (L - 0) / (1 + 0), of the best constant", ">=", best, float(found)),
        Line("the same distance at a = 1, over epsilon", ">=", 1, float(norm / EPSILON)),
        *_beta(network.curvature.dim, seed),
        _gap(network, theta, alpha, seed),
        _growth(network, theta, norm, seed),
    ]


def _beta(dimensions: int, seed: int) -> list[Line]:
    """(u . e)^2 of a random direction follows Beta(1/2, (d - 1)/2)."""
    squares = _directions(100_000, dimensions, seed)[:, 0] ** 2
    mean = 1 / dimensions
    variance = 2 * (dimensions - 1) / (dimensions**2 * (dimensions + 2))
    within = 4 * np.sqrt(variance / len(squares))
    return [
        Line(f"d = {dimensions}: mean of (u . e)^2, 100,000 draws", "=", mean, float(squares.mean()), within),
        Line(f"d = {dimensions}: its variance", "=", variance, float(squares.var()), 1e-4),
    ]


def _gap(network: Rectified, theta: np.ndarray, alpha: float, seed: int) -> Line:
    """A step that meets the thesis' condition to the letter, and the outputs there."""
    middle = network.starts[1]
    moved = network.scale(alpha, 1 / alpha) * theta
    e = np.concatenate([np.zeros(middle), moved[middle:] / np.linalg.norm(moved[middle:])])
    u = next(u for u in _directions(DRAWS, len(theta), seed) if abs(u @ e) > 0.2)
    step = -np.linalg.norm(moved[middle:]) / (u @ e) * u  # its part along e takes th2 / a away whole
    spread = float(network.outputs((moved + step)[None]).std())
    return Line("the gap: spread of the outputs where |epsilon u . e| = ||th2|| / a, not 0", ">=", 0.1, spread)


def _growth(network: Rectified, theta: np.ndarray, norm: float, seed: int) -> Line:
    """The median over directions of the largest loss within epsilon, far along T against at th."""
    directions = _directions(DRAWS, len(theta), seed)
    medians = []
    for alpha in (1.0, 10 * norm / EPSILON):
        moved = network.scale(alpha, 1 / alpha) * theta
        steps = np.linspace(-EPSILON, EPSILON, 11)[:, None, None] * directions
        outputs = network.outputs((moved + steps).reshape(-1, len(theta)))
        losses = ((outputs - network.outputs(theta[None])) ** 2).mean(axis=(1, 2)).reshape(11, DRAWS)
        medians.append(np.median(losses.max(axis=0)))
    words = f"median sharpness in {DRAWS} random directions, a = {10 * norm / EPSILON:.3g} over a = 1"
    return Line(words, ">=", 100, float(medians[1] / medians[0]))


def _directions(count: int, dimensions: int, seed: int) -> np.ndarray:
    """[count, dimensions], uniform on the sphere."""
    u = np.random.default_rng([seed, 1]).standard_normal((count, dimensions))  # not the network's own draws
    return u / np.linalg.norm(u, axis=1, keepdims=True)
