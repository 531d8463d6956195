"""An invertible change of representation reorders densities at will and keeps every probability (Le Lan, Dinh 2021)."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.flatness.bijective import Radial
from nvp_tf.layers.base import Bijective
from nvp_tf.models.flow import Flow

_BATCH = 100
MARGIN = 0.01 * math.log(2)  # nats a dimension by which the chosen image is ahead of the next
UNMOVED, MOST, LEAST = "unmoved", "most likely", "least likely"


@dataclass(frozen=True)
class Orders:
    """The log-densities of the same examples in several representations.

    chosen: the number of the example that the representations are made for.
    log_density: representation -> float64 [n] nats, of the example in that representation.
    maps: representation -> its layer; forward goes from dequantized pixels to the representation.
    """

    chosen: int
    log_density: dict[str, np.ndarray]
    maps: dict[str, Bijective]

    def rank(self, name: str, example: int | None = None) -> int:
        """1 for the highest density; that of the chosen example where none is named."""
        scores = self.log_density[name]
        return int((scores > scores[self.chosen if example is None else example]).sum()) + 1

    def order(self, name: str) -> np.ndarray:
        """The examples' numbers, the highest density first."""
        return np.argsort(-self.log_density[name], kind="stable")

    @property
    def others_moved(self) -> float:
        """The largest change of any other example's log-density, in nats."""
        before = np.delete(self.log_density[UNMOVED], self.chosen)
        return max(
            float(np.abs(np.delete(self.log_density[name], self.chosen) - before).max()) for name in (MOST, LEAST)
        )


def density_orders(
    flow: Flow,
    examples: np.ndarray,
    chosen: int,
    progress: Callable[[Iterable], Iterable] = lambda parts: parts,
) -> Orders:
    """Ranks examples in the model's own representation, and in one where the chosen is first and one where it is last.

        u = xi(v),    log p_u(u) = log p_v(xi^-1(u)) + log |det d xi^-1 / du|

    v is the dequantized image with the flow's fixed noise, xi the radial map about the chosen v, in a ball that holds
    no other example: within the core the volume is multiplied by (rho / rhat)^D, outside of the ball nothing moves.

    Args:
      flow: in float64.
      examples: as `Flow.log_prob` takes them.
      chosen: a number of one of them.
      progress: wraps the batches.

    Raises:
      UserError: no such example, fewer than two, one that is there twice, a score that is not finite.
    """
    if not 0 <= chosen < len(examples) or len(examples) < 2:
        raise UserError(f"image is {chosen}, expected a number from 0 to {len(examples) - 1}, of at least two")
    v = dequantized(flow, examples)
    densities = Densities(flow, progress)
    unmoved = densities(v, None)
    if not np.isfinite(unmoved).all():
        raise UserError(f"example {int(np.argmin(np.isfinite(unmoved)))} has no finite score under the model")
    apart = np.sqrt(((v - v[chosen]).reshape(len(v), -1) ** 2).sum(axis=1))
    nearest = np.delete(apart, chosen).min()
    if not nearest > 0:
        raise UserError(f"example {chosen} is there twice: no map tells the two apart")
    others, own = np.delete(unmoved, chosen), unmoved[chosen]
    room, dimensions = MARGIN * flow.dimensions, flow.dimensions
    maps = {
        MOST: radial(v[chosen], nearest, (others.max() + room - own) / dimensions),
        LEAST: radial(v[chosen], nearest, (others.min() - room - own) / dimensions),
    }
    found = {name: densities(v, layer) for name, layer in maps.items()}
    return Orders(chosen, {UNMOVED: unmoved, **found}, maps)


def radial(centre: np.ndarray, nearest: float, gain: float) -> Radial:
    """The map that adds `gain` nats a dimension to the log-density at its centre, within half of `nearest`."""
    delta = nearest / 2
    core = delta / 2 * min(1.0, math.exp(gain))
    layer = Radial(core, core * math.exp(-gain), delta, dtype="float64")
    layer.build((None, *centre.shape))
    layer.centre.assign(centre)
    return layer


def dequantized(flow: Flow, examples: np.ndarray) -> np.ndarray:
    """v, float64, with the flow's fixed noise pattern; vectors as they are."""
    if flow.pixels is None:
        return np.asarray(examples, np.float64)
    return np.asarray(examples, np.float64) + flow.noise_pattern().numpy().astype(np.float64)


class Densities:
    """log p_u of examples in any representation; the flow's graph is traced once.

    Args:
      progress: wraps the batches.
    """

    def __init__(self, flow: Flow, progress: Callable[[Iterable], Iterable] = lambda parts: parts) -> None:
        self.progress = progress

        @tf.function(input_signature=[tf.TensorSpec((None, *flow.event_shape), tf.float64)], autograph=False)
        def log_density(v: tf.Tensor) -> tf.Tensor:
            z, log_det = flow.bijector.forward(v)
            return flow.prior.log_prob(z) + log_det

        self.log_density = log_density

    def __call__(self, v: np.ndarray, layer: Bijective | None) -> np.ndarray:
        """[n] nats: to the representation, and back through the map into the flow with every log-determinant."""
        return np.concatenate([self._of(v[i : i + _BATCH], layer) for i in self.progress(range(0, len(v), _BATCH))])

    def _of(self, v: np.ndarray, layer: Bijective | None) -> np.ndarray:
        if layer is None:
            return self.log_density(v).numpy()
        u, _ = layer.forward(v)
        back, log_det = layer.inverse(u)
        return (self.log_density(back) + log_det).numpy()
