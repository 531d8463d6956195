"""epsilon-flatness: the volume of where the loss is less than epsilon higher, in random slices through the weights.

In all of the space it is infinite for rectifier networks (thesis, theorem 3), and not to be had by sampling. In a
random plane it can be measured: along rays from the weights, up to where the loss is first found epsilon higher.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln

from nvp_tf.errors import UserError
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.estimate import Estimate, mean_of

_PRECISION = 1e-9  # of a radius
_FIRST = 1e-4  # of `limit`, where a ray is asked first; it doubles from there


@dataclass(frozen=True)
class Volume:
    """What the rays saw.

    estimate: the mean over slices of the volume that is seen from the weights, and its error. It is at most the volume
      of the connected set: what lies behind a ridge is not seen.
    radii: [slices, rays], where each ray ended.
    unbounded: the share of rays that found no end within `limit`, and were ended there.
    losses: how many times the loss was computed.
    """

    estimate: Estimate
    radii: np.ndarray
    unbounded: float
    losses: int


def slice_volume(
    curvature: Curvature,
    epsilon: float,
    *,
    dimensions: int = 1,
    slices: int = 8,
    rays: int = 16,
    limit: float = 1e3,
    scale: np.ndarray | None = None,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> Volume:
    """vol {d in a slice: L(th + t d) < L(th) + epsilon for all t in [0, 1]}, over random slices.

        vol = V_k mean over rays of r^k,    V_k = pi^(k/2) / Gamma(k/2 + 1),  V_1 = 2

    Args:
      epsilon: by how much the loss may be higher.
      dimensions: k of a slice, which is spanned by k random orthonormal directions; for 1 the rays are its two ends.
      limit: of a radius; r^k is cut off there.
      scale: [dim], for steps scale * d: with the absolute weights, unmoved by a rescaling.

    Raises:
      UserError: an epsilon or limit that is not positive, no slice, more dimensions than weights.
    """
    if not 0 < epsilon < math.inf or not 0 < limit < math.inf:
        raise UserError(f"epsilon is {epsilon} and limit {limit}, expected positive numbers")
    if not 1 <= dimensions <= curvature.dim or slices < 1 or rays < 1:
        raise UserError(
            f"dimensions is {dimensions}, slices {slices}, rays {rays}: expected 1 to {curvature.dim}, and at least 1"
        )
    rays = 2 if dimensions == 1 else rays
    if say is not None:
        say(f"volume: {slices * rays} rays of about 20 losses each")
    rng, highest, asked = np.random.default_rng(seed), curvature.loss() + epsilon, 1
    scale = np.ones(curvature.dim) if scale is None else np.abs(scale)
    radii = np.empty((slices, rays))
    for i in range(slices):
        plane = np.linalg.qr(rng.standard_normal((curvature.dim, dimensions)))[0]
        for j, u in enumerate(_rays(rng, dimensions, rays)):
            radii[i, j], losses = _radius(curvature, scale * (plane @ u), highest, limit)
            asked += losses
    unit = math.exp(dimensions / 2 * math.log(math.pi) - gammaln(dimensions / 2 + 1))
    estimate = mean_of(unit * (radii**dimensions).mean(axis=1))
    return Volume(estimate, radii, float((radii >= limit).mean()), asked)


def _rays(rng: np.random.Generator, dimensions: int, count: int) -> np.ndarray:
    """[count, dimensions] unit vectors: both of a line; in a plane evenly spaced from a random one; else random."""
    if dimensions == 1:
        return np.array([[1.0], [-1.0]])
    if dimensions == 2:
        angles = 2 * np.pi * (rng.uniform() + np.arange(count)) / count
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    draws = rng.standard_normal((count, dimensions))
    return draws / np.linalg.norm(draws, axis=1, keepdims=True)


def _radius(curvature: Curvature, direction: np.ndarray, highest: float, limit: float) -> tuple[float, int]:
    """(where along the direction the loss reaches `highest`, losses computed): doubled until above, then searched."""
    asked = 0

    def above(r: float) -> float:
        nonlocal asked
        asked += 1
        loss = curvature.loss(curvature.weights + r * direction)
        return loss - highest if math.isfinite(loss) else sys.float_info.max

    low, high = 0.0, _FIRST * limit
    while above(high) < 0:
        low, high = high, 2 * high
        if low >= limit:
            return limit, asked
    return min(brentq(above, low, high, rtol=_PRECISION), limit), asked
