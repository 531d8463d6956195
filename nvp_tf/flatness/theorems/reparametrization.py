"""Section 3.5.1: under eta = Phi^-1(theta) the geometry of a minimum is a choice."""

import numpy as np
import tensorflow as tf

from nvp_tf.flatness.bijective import Power, Radial
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.losses import loss_of
from nvp_tf.flatness.operators import hessian
from nvp_tf.flatness.reparametrized import Reparametrized
from nvp_tf.flatness.theorems.lines import Line
from nvp_tf.flatness.theorems.networks import Rectified, rectified
from nvp_tf.layers.base import Bijective

EXPANDING, CONTRACTING = (0.3, 0.7), (0.7, 0.3)  # (rhat, rho) of a ball of radius 1


def check(seed: int = 0) -> list[Line]:
    """The 1-D example, the radial map and its printed Jacobian, and gradient and Hessian in eta of a network."""
    return [*_one_dimension(), *_radial_jacobian(seed), *_power_of_a_network(seed), *_radial_at_a_minimum(seed)]


def _one_dimension() -> list[Line]:
    """L = 1 - cos 3 theta, c = 0, a = 1/2, b = 0.04: second differences of L in eta."""
    layer = made(Power(0.5, 0.04, dtype="float64"), 1)
    lines = []
    for minimum in (0.0, 2 * np.pi / 3):
        slope = (minimum**2 + 0.04) ** -0.5 * (2 * minimum**2 + 0.04)  # (v^2 + b)^(a - 1) ((2 a + 1) v^2 + b)
        step = 1e-4 * slope
        eta = layer.forward(np.array([[minimum]]))[0].numpy() + step * np.array([[-1.0], [0], [1]])
        losses = 1 - np.cos(3 * layer.inverse(eta)[0].numpy()[:, 0])
        found = float(np.dot(losses, [1, -2, 1]) / step**2)
        words = f"L = 1 - cos 3 th, a = 1/2, b = .04, c = 0: curvature in eta at th = {minimum:.3g}"
        lines.append(Line(words, "=", float(9 / slope**2), found, 1e-5))
    return lines


def _radial_jacobian(seed: int) -> list[Line]:
    """The thesis' Jacobian, its (th - c)^T (th - c) read as an outer product, against differences."""
    lines = []
    rng = np.random.default_rng(seed)
    for name, (rhat, rho) in {"expanding": EXPANDING, "contracting": CONTRACTING}.items():
        layer, errors, volumes = made(Radial(rhat, rho, 1.0, dtype="float64"), 3), [], []
        for r in (0.2, 0.5, 0.9, 1.5):
            v = rng.standard_normal(3)
            v *= r / np.linalg.norm(v)
            found = _jacobian_by_differences(layer, v)
            errors.append(np.abs(found - printed_jacobian(v, rhat, rho, 1.0)).max())
            volumes.append(abs(np.linalg.slogdet(found)[1] - float(layer.forward(v[None])[1][0])))
        lines.append(Line(f"radial, {name}: printed Jacobian against differences", "<=", 0, float(max(errors)), 1e-8))
        lines.append(Line(f"radial, {name}: log psi' (psi/r)^(n-1) against them", "<=", 0, float(max(volumes)), 1e-8))
    return lines


def printed_jacobian(v: np.ndarray, rhat: float, rho: float, delta: float) -> np.ndarray:
    """d Phi^-1 / d theta as in the thesis, v = theta - c a column: psi' I + 1_shell k (I / r - v v^T / r^3)."""
    r = np.linalg.norm(v)
    if r > delta:
        return np.eye(len(v))
    if r <= rhat:
        return rho / rhat * np.eye(len(v))
    k = delta * (rhat - rho) / (rhat - delta)
    return (rho - delta) / (rhat - delta) * np.eye(len(v)) - k / r**3 * np.outer(v, v) + k / r * np.eye(len(v))


def _jacobian_by_differences(layer: Bijective, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    points = x + step * np.concatenate([np.eye(len(x)), -np.eye(len(x))])
    ahead, behind = np.split(layer.forward(points)[0].numpy(), 2)
    return (ahead - behind).T / (2 * step)


def _power_of_a_network(seed: int) -> list[Line]:
    """gradient g J and Hessian J^T H J + sum g_i Hess(Phi_i), away from a minimum; Hess(Phi_i) is diagonal here."""
    network = rectified(5, 7, 1, seed=seed, minimum=False)
    layer = made(Power(0.3, 0.2, dtype="float64"), network.curvature.dim)
    other = in_eta(network, layer)
    gradient, theta = network.curvature.gradient(), network.curvature.weights
    jacobian, bend = _derivatives_of_inverse(layer, other.weights)
    expected = jacobian[:, None] * network.hessian_at(theta) * jacobian + np.diag(gradient * bend)
    found = hessian(other).dense()
    v = np.random.default_rng(seed).standard_normal(len(theta))
    ends = [other.gradient(at=other.weights + sign * 1e-7 * v) for sign in (1, -1)]
    by_differences = (ends[0] - ends[1]) / 2e-7
    errors = {
        "gradient in eta against g J": (other.gradient(), gradient * jacobian, 1e-12),
        "Hessian in eta against J^T H J + sum g_i Hess(Phi_i)": (found, expected, 1e-10),
        "the same, along v, against differences of gradients": (by_differences, expected @ v, 1e-6),
    }
    return [
        Line(f"power map of 5-7-1: {words}", "<=", 0, float(np.abs(a - b).max() / np.abs(b).max()), within)
        for words, (a, b, within) in errors.items()
    ]


def _derivatives_of_inverse(layer: Bijective, eta: np.ndarray, step: float = 1e-4) -> tuple[np.ndarray, np.ndarray]:
    """(d theta_i / d eta_i, d2 theta_i / d eta_i^2) of an elementwise map: 1 / slope, and its difference in eta."""

    def first(eta: np.ndarray) -> np.ndarray:
        point = tf.constant(eta[:, None])
        one = made(Power(layer.a, layer.b, dtype="float64"), 1)
        return np.exp(one.inverse(point)[1].numpy())

    ends = [first(eta + k * step) for k in (-2, -1, 1, 2)]
    return first(eta), (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step)


def _radial_at_a_minimum(seed: int) -> list[Line]:
    """At the centre H_eta = (rhat / rho)^2 H; at theta^(2a+1) each entry of D H D is divided by (2a+1)^2."""
    network = rectified(5, 7, 1, seed=seed)
    theta = network.curvature.weights
    start = network.hessian_at(theta)
    lines = []
    for name, (rhat, rho) in {"flatter": EXPANDING, "sharper": CONTRACTING}.items():
        layer = made(Radial(rhat, rho, 1.0, dtype="float64"), len(theta))
        layer.centre.assign(theta)
        norm = float(np.linalg.norm(hessian(in_eta(network, layer)).dense(), 2) / np.linalg.norm(start, 2))
        lines.append(
            Line(f"radial at c, {name}: spectral norm in eta over that in theta", "=", (rhat / rho) ** 2, norm)
        )
    a = 0.5
    other = in_eta(network, made(Power(a, dtype="float64"), len(theta)))
    moved = hessian(other).scaled(other.weights).dense()
    expected = theta[:, None] * start * theta
    ratio = float(np.linalg.norm(expected, 2) / np.linalg.norm(moved, 2))
    lines.append(
        Line("eta = th^(2a+1), a = 1/2: ||D H D|| in theta over that in eta", "=", (2 * a + 1) ** 2, ratio, 1e-9)
    )
    return lines


def made(layer: Bijective, size: int) -> Bijective:
    """The layer, built on vectors."""
    layer.build((None, size))
    return layer


def in_eta(network: Rectified, layer: Bijective) -> Curvature:
    """The curvature of the same function and data, in eta."""
    model = Reparametrized(network.model, layer)
    targets = network.curvature.targets()
    return Curvature(model, loss_of("mean_squared_error"), [(network.x, targets)])
