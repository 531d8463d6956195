"""Which equivalent models to show: one as sharp as is wanted, and one as flat as its units can make it."""

import math
from collections.abc import Mapping

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.flatness.checks import layer_scales
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.operators import hessian
from nvp_tf.flatness.rescaling import Rescaling
from nvp_tf.flatness.spectrum import top
from nvp_tf.flatness.units import Unit

REACH = 10  # factors of the flattest lie within 2^-REACH and 2^REACH
_SWEEPS = 20
_SHARES = (1.0, 0.5, 0.25)  # of the logarithm of a channel's factor


def sharper(
    curvature: Curvature, rescaling: Rescaling, traces: Mapping[str, float], largest: float, times: float, seed: int = 0
) -> dict[str, float]:
    """Factors under which the largest eigenvalue is at least `times` what it is.

    A factor f of one unit multiplies a diagonal block of H by f^-2, another by f^2, and no eigenvalue of a diagonal
    block is above the largest of all. So the block with the largest trace is taken, its own largest eigenvalue found,
    and f is the power of two next beyond what is needed.

    Args:
      traces: of the blocks of H, by name.
      largest: eigenvalue of H.

    Raises:
      UserError: a model without a unit that can be rescaled, or whose blocks are all flat.
    """
    exponents = _exponents(rescaling)
    best: tuple[Unit, int, np.ndarray] | None = None
    value = 0.0
    for unit, rows in exponents.items():
        for sign in (1, -1):
            chosen = [np.all(row == sign) and row.size > 0 for row in rows]
            trace = sum(traces[block.name] for block, take in zip(curvature.blocks, chosen, strict=True) if take)
            if trace > value:
                mask = np.concatenate([np.full(row.size, float(take)) for row, take in zip(rows, chosen, strict=True)])
                best, value = (unit, sign, mask), trace
    if best is None:
        raise UserError("no unit of the model can be rescaled" if not exponents else "every rescalable block is flat")
    unit, sign, mask = best
    found = top(hessian(curvature).scaled(mask), tolerance=0.1, seed=seed)
    own = float(found.values[0] - found.residuals[0])
    if own <= 0:
        raise UserError("the Hessian has no positive curvature along any unit that can be rescaled")
    power = math.ceil(0.5 * math.log2(times * largest / own))
    return {unit.name: 2.0 ** (-sign * power)}


def flattest(curvature: Curvature, rescaling: Rescaling, probes: int, seed: int = 0) -> dict[str, float | list[float]]:
    """Factors that make the trace least: one a unit, or one a channel where that is the better.

        tr H(T) = sum_i h_i / m_i^2,    m_i = prod of the factors (or their inverses) that move weight i

    It is convex in the logarithms; of two layers the least is 2 sqrt(tr H11 tr H22). h is the diagonal of H, estimated
    by `probes` products: half of them choose, the other half judge, for a sum over few weights is mostly noise. What is
    judged no flatter than the model as it is is not done. What only falls with f, a normalized direction, is stopped
    at 2^10.
    """
    units = [unit for unit in rescaling.units if not unit.moves_statistics]
    if not units:
        raise UserError("no unit of the model can be rescaled")
    first, second = (_diagonal(curvature, max(probes // 2, 1), [seed, k]) for k in (0, 1))
    whole, single = ({unit: _rows(rescaling, unit, by_channel) for unit in units} for by_channel in (False, True))
    start = _least_trace(first, whole, {unit: np.zeros(1) for unit in units})
    each = _least_trace(first, single, {unit: np.repeat(start[unit], single[unit][0].max() + 1) for unit in units})
    candidates = [{unit: np.zeros(1) for unit in units}, start]
    candidates += [{u: start[u] + share * (each[u] - start[u]) for u in units} for share in _SHARES]

    def trace(logs: dict[Unit, np.ndarray]) -> float:
        moves = [logs[u][channel if len(logs[u]) > 1 else 0] * sign for u, (channel, sign) in single.items()]
        return float((second * np.exp2(-2 * sum(moves))).sum())

    return {unit.name: _factors(logs) for unit, logs in min(candidates, key=trace).items()}


def _factors(logs: np.ndarray) -> float | list[float]:
    return (2.0**logs).tolist() if len(logs) > 1 else float(2.0 ** logs[0])


def _least_trace(
    diagonal: np.ndarray, rows: dict[Unit, tuple[np.ndarray, np.ndarray]], start: dict[Unit, np.ndarray]
) -> dict[Unit, np.ndarray]:
    """log2 f of each unit's channels. Each takes its best value in turn, f^4 = what it divides over what it multiplies.

    A factor stays where either sum is not above 0.
    """
    logs = {unit: log.copy() for unit, log in start.items()}
    diagonal = diagonal * np.exp2(-2 * sum(logs[unit][channel] * sign for unit, (channel, sign) in rows.items()))
    for _ in range(_SWEEPS):
        for unit, (channel, sign) in rows.items():
            falls, rises = (
                np.bincount(channel[sign == s], diagonal[sign == s], minlength=len(logs[unit])) for s in (1, -1)
            )
            best = _best(falls, rises, bound=not np.any(sign < 0))
            best = np.clip(logs[unit] + best, -REACH, REACH) - logs[unit]
            logs[unit] += best
            diagonal = diagonal * np.exp2(-2 * sign * best[channel])
    return logs


def _best(falls: np.ndarray, rises: np.ndarray, bound: bool) -> np.ndarray:
    """log2 f of each channel for falls / f^2 + rises f^2; `bound`: there is nothing that rises."""
    if bound:
        return np.where(falls > 0, 2.0 * REACH, 0.0)
    both = (falls > 0) & (rises > 0)
    return np.where(both, np.log2(np.where(both, falls, 1) / np.where(both, rises, 1)) / 4, 0.0)


def _diagonal(curvature: Curvature, probes: int, seed: list[int]) -> np.ndarray:
    """The diagonal of H, by z * D H D z / D^2 of random signs z: sums over many entries are good, single ones are not.

    D has the size of each layer's weights: so scaled no layer drowns the others in noise, however unbalanced they are.
    """
    rng = np.random.default_rng(seed)
    scale = layer_scales(curvature.model, curvature.weights)
    signs = (rng.choice([-1.0, 1.0], curvature.dim) for _ in range(probes))
    return np.mean([z * curvature.hessian(scale * z) for z in signs], axis=0) / scale


def _rows(rescaling: Rescaling, unit: Unit, by_channel: bool) -> tuple[np.ndarray, np.ndarray]:
    """(channel, sign) of each weight under a unit: which of its factors moves it, and to which power; 0 for none."""
    single = len({change.weight for change in unit.changes}) == len(unit.changes)
    # A weight that is multiplied and divided has two channels; 2^1000 still is a number.
    channels = unit.channels if by_channel and single and unit.channels <= 1000 else 1
    factors = 2.0 ** np.arange(1, channels + 1) if channels > 1 else 2.0
    found = [np.log2(m).ravel() for m in rescaling.multipliers({unit.name: factors})]
    power = np.rint(np.concatenate(found)).astype(int)
    return np.maximum(np.abs(power) - 1, 0), np.sign(power)


def _exponents(rescaling: Rescaling) -> dict[Unit, list[np.ndarray]]:
    """Of each unit that moves no running statistics, the power of its factor in each trainable weight."""
    return {
        unit: [np.log2(multiplier) for multiplier in rescaling.multipliers({unit.name: 2.0})]
        for unit in rescaling.units
        if not unit.moves_statistics
    }
