"""What may be multiplied by one number without a change of the function: units, and how weights move with them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nvp_tf.errors import UserError


@dataclass(frozen=True)
class Change:
    """What a unit's factor f does to one weight: w' = w f^power, or for a running variance f^2 (w + epsilon) - epsilon.

    weight: the number of the weight in `model.weights`.
    power: 1, -1, or 2 for a variance.
    axes: the trailing axes of the weight along which the unit's channels lie, merged into one; the channels repeat
      along them where the axes are longer (a kernel after `Flatten`). () for a weight that takes one number only.
    epsilon: of a variance, else None.
    """

    weight: int
    power: int
    axes: tuple[int, ...] = (-1,)
    epsilon: float | None = None

    def multiplier(self, factor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """factor [channels] or [] -> f^power, of a shape that broadcasts with a weight of `shape`."""
        factor = factor**self.power
        if not factor.ndim:
            return factor
        sizes = [shape[axis] for axis in self.axes]
        tiled = np.tile(factor, math.prod(sizes) // len(factor)).reshape(sizes)
        others = [1] * (len(shape) + min(self.axes))  # what stands before the first of the axes
        behind = [1] * (-1 - max(self.axes))
        return tiled.reshape(*others, *sizes, *behind)

    def apply(self, value: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """The weight's new value."""
        with np.errstate(over="ignore", invalid="ignore"):  # `moved` refuses what is not finite
            multiplier = self.multiplier(factor, value.shape)
            if self.epsilon is None:
                return value * multiplier
            return multiplier * (value + self.epsilon) - self.epsilon


@dataclass(frozen=True)
class Unit:
    """A part of a model whose values may be multiplied by f > 0, for what reads them divides by f.

    name: of the layer whose values they are.
    channels: how many factors it can take, one a channel; 1 where only all of it together.
    changes: what f does to the weights.
    """

    name: str
    channels: int
    changes: tuple[Change, ...]

    @property
    def moves_statistics(self) -> bool:
        """Whether a running variance moves, which bounds the factor from below."""
        return any(change.epsilon is not None for change in self.changes)


Factor = float | Sequence[float] | np.ndarray


def check_factor(unit: Unit, factor: Factor) -> np.ndarray:
    """The factor as an array, [] or [channels].

    Raises:
      UserError: not positive and finite, or of another length.
    """
    value = np.asarray(factor, np.float64)
    if not (np.isfinite(value).all() and (value > 0).all()):
        raise UserError(f"the factor of {unit.name} is {factor}, expected a positive finite number")
    value = value.reshape(()) if value.shape == (1,) else value
    if value.ndim and value.shape != (unit.channels,):
        raise UserError(f"{unit.name} got factors of shape {value.shape}, expected one number or {unit.channels}")
    return value


def named(units: Sequence[Unit], name: str) -> Unit:
    """The unit of that name. Raises UserError, with all names, for another."""
    for unit in units:
        if unit.name == name:
            return unit
    raise UserError(f"unit is {name!r}, expected one of {', '.join(unit.name for unit in units)}")


def moved(values: Sequence[np.ndarray], units: Sequence[Unit], factors: Mapping[str, Factor]) -> list[np.ndarray]:
    """The weights under the rescaling that multiplies each unit by its factor.

    Args:
      values: of `model.weights`, in order.
      factors: unit's name -> f, one number or one a channel.

    Raises:
      UserError: an unknown unit, a bad factor, a running variance that would be negative, a weight that would be
        infinite or, without having been it, 0.
    """
    values = [np.asarray(value) for value in values]
    for name, factor in factors.items():
        unit = named(units, name)
        factor = check_factor(unit, factor)
        for change in unit.changes:
            value = change.apply(values[change.weight].astype(np.float64), factor)
            _check_value(unit, change, values[change.weight], value)
            values[change.weight] = value
    return values


def _check_value(unit: Unit, change: Change, before: np.ndarray, after: np.ndarray) -> None:
    if change.epsilon is not None and (after < 0).any():
        least = math.sqrt(change.epsilon / (before + change.epsilon).min())
        found = f"a running variance would be {after.min():.3g}, below 0"
        raise UserError(f"{unit.name}: {found}; expected a factor of at least {least:.3g}")
    if not np.isfinite(after).all() or ((after == 0) & (before != 0) & (change.epsilon is None)).any():
        raise UserError(f"{unit.name}: a weight would be infinite or vanish, expected a factor nearer to 1")


def diagonal(
    shapes: Sequence[tuple[int, ...]], units: Sequence[Unit], factors: Mapping[str, Factor]
) -> list[np.ndarray]:
    """What each weight is multiplied by, of its shape: the diagonal of the Jacobian of T. Variances count as 1 here.

    The gradient at T(th) is D g and the Hessian D H D, D = 1 / this on the trainable weights (thesis theorem 4).
    """
    found = [np.ones(shape) for shape in shapes]
    for name, factor in factors.items():
        unit = named(units, name)
        factor = check_factor(unit, factor)
        for change in unit.changes:
            if change.epsilon is None:
                shape = shapes[change.weight]
                found[change.weight] = found[change.weight] * change.multiplier(factor, shape)
    return found
