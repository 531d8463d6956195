"""The alpha-scale: models with other weights and the same function, checked on data before they are given out."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.flatness.flow_units import flow_units
from nvp_tf.flatness.graph import Graph
from nvp_tf.flatness.models import float64_clone
from nvp_tf.flatness.units import Factor, Unit, diagonal, moved
from nvp_tf.models.flow import Flow

BOUND = 1e-9  # of a change of predictions in float64, relative to the largest
_BATCH = 100


class Rescaling:
    """What may be multiplied in a model without a change of its function (thesis definition 5 and its K-layer form).

    A unit is a layer, or several that are tied, whose values may be f > 0 times as large because what reads them
    divides by f. The thesis' T(theta_k) = a_k theta_k with product 1 gives unit k the factor a_1 ... a_k
    (`of_layers`); biases take the same factor. All of it is of a model with running statistics: in training a batch
    norm takes a factor of what is before it back by itself.

    Args:
      model: a Functional or Sequential Keras model, or a `Flow`.

    Attributes:
      units: that it has, in order.
      pinned: of a Keras model, layer's name -> why its values keep their scale.

    Raises:
      UserError: a model of another kind.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        graph = None if isinstance(model, Flow) else Graph(model)
        self.units: list[Unit] = graph.units if graph else flow_units(model)
        self.pinned: dict[str, str] = graph.pinned if graph else {}

    def of_layers(self, alphas: Sequence[float]) -> dict[str, float]:
        """Factors of the units from those of the layers, a_1 to a_K.

        Raises:
          UserError: another number of them, or a product that is not 1.
        """
        chain = [unit for unit in self.units if not unit.name.endswith(".direction")]
        if len(alphas) != len(chain) + 1:
            raise UserError(f"got {len(alphas)} factors of layers, expected {len(chain) + 1}, one more than units")
        product = np.cumprod(alphas)
        if not abs(product[-1] - 1) < 1e-12:
            raise UserError(f"the factors of the layers multiply to {product[-1]}, expected 1")
        return {unit.name: float(factor) for unit, factor in zip(chain, product[:-1], strict=True)}

    def weights(self, factors: Mapping[str, Factor]) -> list[np.ndarray]:
        """The values of `model.weights` under T, float64 where they move.

        Args:
          factors: unit's name -> f > 0, one number or one a channel; what is not named keeps its scale.

        Raises:
          UserError: a layer that cannot be rescaled, a bad factor, a running variance that would be negative.
        """
        self._check(factors)
        return moved([weight.numpy() for weight in self.model.weights], self.units, factors)

    def multipliers(self, factors: Mapping[str, Factor]) -> list[np.ndarray]:
        """What T multiplies each of `model.trainable_weights` by; D of the thesis has 1 / this."""
        self._check(factors)
        found = diagonal([tuple(weight.shape) for weight in self.model.weights], self.units, factors)
        number = {id(weight): i for i, weight in enumerate(self.model.weights)}
        return [found[number[id(weight)]] for weight in self.model.trainable_weights]

    def log_volume(self, factors: Mapping[str, Factor]) -> float:
        """log of T's Jacobian determinant on the trainable weights; (n_1 - n_2) log alpha of one hidden layer."""
        return float(sum(np.log(multiplier).sum() for multiplier in self.multipliers(factors)))

    def apply(
        self, factors: Mapping[str, Factor], x: np.ndarray, copy: Callable[[], keras.Model] | None = None
    ) -> keras.Model:
        """The model under T, in float64.

        Args:
          x: data to hold the two against each other on.
          copy: gives a new float64 model of the same layers, whose weights do not matter; a flow needs it, for nothing
            but its run can make another.

        Raises:
          UserError: as `weights`, or predictions that differ by more than `BOUND` of the largest.
        """
        made = copy() if copy else float64_clone(self.model)
        made.set_weights([weight.numpy() for weight in self.model.weights])
        before = predictions(made, x)
        made.set_weights(self.weights(factors))
        change = np.abs(predictions(made, x) - before).max() / np.abs(before).max()
        if not change <= BOUND:
            raise UserError(f"predictions change by {change:.2g} of the largest, expected at most {BOUND}: {factors}")
        return made

    def _check(self, factors: Mapping[str, Factor]) -> None:
        for name in factors:
            if name in self.pinned and all(unit.name != name for unit in self.units):
                raise UserError(f"{name} cannot be rescaled: {self.pinned[name]}")


def predictions(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """What the model says with running statistics, in batches; of a flow, log p of each example."""
    parts = [keras.tree.flatten(model(x[i : i + _BATCH], training=False)) for i in range(0, len(x), _BATCH)]
    return np.concatenate([np.concatenate([np.reshape(each, [len(each), -1]) for each in part], 1) for part in parts])
