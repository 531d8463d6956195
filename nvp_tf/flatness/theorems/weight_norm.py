"""Section 3.5.1, normalizations: theta = s eta / ||eta|| is as sharp or flat in eta as one pleases."""

import keras
import numpy as np

from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.losses import loss_of
from nvp_tf.flatness.operators import hessian
from nvp_tf.flatness.theorems.lines import Line
from nvp_tf.flatness.weight_norm import weight_normalized

SIZES, EXAMPLES = (4, 1), 60
ALPHAS = (0.01, 0.5, 100.0)


def check(seed: int = 0) -> list[Line]:
    """Under eta -> a eta, a > 0: the function stays, the gradient is divided by a, the Hessian by a^2.

    Two slips of the thesis: it allows any a != 0, but a < 0 turns the sign of the weight; and it says "infinite volume
    epsilon-sharpness" of what is the volume epsilon-flatness.
    """
    curvature, fixed = _unit(seed)
    eta = curvature.weights
    n = SIZES[0]
    gradient, start = curvature.gradient(), hessian(curvature).dense()
    lines = [Line("eta . gradient in eta", "<=", 0, abs(float(eta[:n] @ gradient[:n])), 1e-13)]
    lines.append(Line("Fisher-Rao of eta, E[(eta . grad of one example)^2]", "<=", 0, _fisher_rao(curvature, n), 1e-20))
    for a in ALPHAS:
        scale = np.where(np.arange(len(eta)) < n, a, 1.0)  # the scale s, behind, stays
        lines += _under(curvature, a, scale, gradient, start)
    outputs = curvature.outputs()
    flipped = curvature.outputs(at=np.where(np.arange(len(eta)) < n, -1, 1) * eta)
    lines.append(
        Line("a = -1: largest |f + f_before|, for the output is flipped", "<=", 0, _largest(flipped + outputs), 1e-13)
    )
    lines.append(Line("a = -1: largest |f - f_before|, which is not 0", ">=", 0.1, _largest(flipped - outputs)))
    return lines + fixed


def _largest(value: np.ndarray) -> float:
    return float(np.abs(value).max())


def _unit(seed: int) -> tuple[Curvature, list[Line]]:
    """A weight-normalized linear unit on noisy targets, off its minimum in s; and that normalizing changed nothing."""
    rng = np.random.default_rng(seed)
    dense = keras.layers.Dense(SIZES[1], use_bias=False, dtype="float64")
    model = keras.Sequential([keras.Input(SIZES[:1], dtype="float64"), dense])
    x, y = rng.standard_normal((EXAMPLES, SIZES[0])), rng.standard_normal((EXAMPLES, SIZES[1]))
    model.set_weights([rng.standard_normal(SIZES)])
    normalized = weight_normalized(model)
    change = _largest(normalized(x).numpy() - model(x).numpy())
    same = Line("weights to scale and direction: change of the outputs", "<=", 0, change, 1e-14)
    return Curvature(normalized, loss_of("mean_squared_error"), [(x, y)]), [same]


def _under(curvature: Curvature, a: float, scale: np.ndarray, gradient: np.ndarray, start: np.ndarray) -> list[Line]:
    """Function, gradient, Hessian and sharpness at a eta, and the volume."""
    n, at = SIZES[0], scale * curvature.weights
    moved = hessian(curvature, at=at).dense()
    expected = start / np.outer(scale, scale)  # eta-eta by a^2, s-eta by a, s-s by 1
    pairs = {
        "outputs": (curvature.outputs(at=at), curvature.outputs(), 1e-13),
        "gradient, of 1/a": (curvature.gradient(at=at)[:n], gradient[:n] / a, 1e-12),
        "Hessian, of 1/a^2 in eta, 1/a across, 1 in s": (moved, expected, 1e-12),
    }
    lines = [
        Line(f"a = {a:g}: {words}", "<=", 0, _largest(found - wanted) / _largest(wanted), within)
        for words, (found, wanted, within) in pairs.items()
    ]
    volume = float(np.log10(scale).sum())
    return [*lines, Line(f"a = {a:g}: log10 of the volume's factor, n log10 a", "=", n * np.log10(a), volume)]


def _fisher_rao(curvature: Curvature, n: int) -> float:
    """By gradients of single examples."""
    pairs = [(x, y) for batch_x, batch_y in curvature.batches for x, y in zip(batch_x, batch_y, strict=True)]
    gradients = [curvature.on([(np.asarray(x)[None], np.asarray(y)[None])]).gradient()[:n] for x, y in pairs]
    return float(np.mean([(curvature.weights[:n] @ g) ** 2 for g in gradients]))
