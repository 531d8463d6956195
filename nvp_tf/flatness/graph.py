"""The units of a Keras model: which of its values may share a factor, read from its graph.

Each value between two layers gets a factor. Homogeneous layers tie the factors of what goes in and out; a layer that
gives and takes (dense, convolution, batch norm) leaves the two free; any other pins both to 1, as inputs and outputs
are. What is tied together and not pinned is a unit: layers in a row, residual sums and branches are one case.
"""

from dataclasses import dataclass

import keras

from nvp_tf.errors import UserError
from nvp_tf.flatness.roles import role
from nvp_tf.flatness.units import Change, Unit


@dataclass(frozen=True)
class Place:
    """A layer (or an operation) and the values that it reads and makes, each by its number."""

    layer: keras.Operation
    into: list[int]
    out: list[int]


class Graph:
    """The units of a Functional or Sequential model.

    units: in the order of their first layers.
    pinned: layer's name -> why its output cannot be rescaled.

    Raises:
      UserError: a model of another kind, one that is not built, or a layer that is used twice.
    """

    def __init__(self, model: keras.Model) -> None:
        self._places, ends, self._sizes = _sequence(model) if isinstance(model, keras.Sequential) else _network(model)
        self._tied = {value: value for value in self._sizes}
        self._fixed: dict[int, str] = {}
        numbers = {id(weight): i for i, weight in enumerate(model.weights)}
        self._roles = {p.layer.name: role(p.layer, lambda weight: numbers[id(weight)]) for p in self._places}
        for values, why in zip(ends, ("it is the model's input", "it is the model's output"), strict=True):
            for value in values:
                self._pin(value, why)
        for place in self._places:
            self._tie(place)
        self.units = [self._unit(root) for root in self._free_roots()]
        self.units += [unit for each in self._roles.values() for unit in each.own]
        outputs = [(place.layer.name, self._root(value)) for place in self._places for value in place.out]
        self.pinned = {name: self._fixed[root] for name, root in outputs if root in self._fixed}

    def _tie(self, place: Place) -> None:
        own = self._roles[place.layer.name]
        if own.passes:
            for value in place.into + place.out:
                self._join(place.out[0], value)
            return
        for values, changes in ((place.into, own.takes), (place.out, own.gives)):
            for value in values if changes is None else ():
                self._pin(value, f"{place.layer.name}: {own.why}")

    def _root(self, value: int) -> int:
        while self._tied[value] != value:
            value = self._tied[value]
        return value

    def _join(self, one: int, other: int) -> None:
        kept, gone = self._root(one), self._root(other)
        if kept == gone:
            return
        self._tied[gone] = kept
        if gone in self._fixed:
            self._fixed.setdefault(kept, self._fixed.pop(gone))

    def _pin(self, value: int, why: str) -> None:
        self._fixed.setdefault(self._root(value), why)

    def _free_roots(self) -> list[int]:
        roots = dict.fromkeys(self._root(value) for place in self._places for value in place.out)
        return [root for root in roots if root not in self._fixed]

    def _unit(self, root: int) -> Unit:
        """All changes of the layers that touch the values of one root."""
        changes: dict[Change, None] = {}
        name = ""
        for place in self._places:
            own = self._roles[place.layer.name]
            out, into = (any(self._root(value) == root for value in values) for values in (place.out, place.into))
            if own.passes:
                found = own.carried if out else []
            else:
                found = [*(own.gives or () if out else ()), *(own.takes or () if into else ())]
                name = name or (place.layer.name if out else "")
            changes |= dict.fromkeys(found)
        return Unit(name, self._channels(root) if all(change.axes for change in changes) else 1, tuple(changes))

    def _channels(self, root: int) -> int:
        """How many factors fit: the least last axis of the unit's values, where it divides all of them."""
        sizes = [size for value, size in self._sizes.items() if self._root(value) == root]
        return min(sizes) if all(size % min(sizes) == 0 for size in sizes) else 1


Found = tuple[list[Place], tuple[list[int], list[int]], dict[int, int]]  # places, (inputs, outputs), value -> last axis


def _sequence(model: keras.Sequential) -> Found:
    """A Sequential model calls its layers anew with each that is added: which call is whose is known by their order."""
    if not model.built:
        raise _without_graph(model)
    places = [Place(layer, [i], [i + 1]) for i, layer in enumerate(model.layers)]
    shapes = [model.input_shape, *(layer.output.shape for layer in model.layers)]
    return places, ([0], [len(places)]), {i: shape[-1] for i, shape in enumerate(shapes)}


def _network(model: keras.Model) -> Found:
    if not (getattr(model, "inputs", None) and hasattr(model, "operations")):
        raise _without_graph(model)
    operations = [each for each in model.operations if not isinstance(each, keras.layers.InputLayer)]
    made = [tensor for each in operations for tensor in _tensors(each.output)]
    known = {id(tensor): i for i, tensor in enumerate([*model.inputs, *made])}
    read = [tensor for each in operations for tensor in _tensors(each.input)]
    if not all(id(tensor) in known for tensor in [*read, *model.outputs]):
        names = ", ".join(each.name for each in operations)
        raise UserError(f"a layer of {names} is used more than once, expected each in one place, of one model")

    def numbers(tensors: object) -> list[int]:
        return [known[id(tensor)] for tensor in _tensors(tensors)]

    places = [Place(each, numbers(each.input), numbers(each.output)) for each in operations]
    sizes = {known[id(tensor)]: tensor.shape[-1] for tensor in [*model.inputs, *made]}
    return places, (numbers(model.inputs), numbers(model.outputs)), sizes


def _without_graph(model: keras.Model) -> UserError:
    expected = "a Functional or Sequential Keras model that is built"
    return UserError(f"{model.name} is a {type(model).__name__} without a graph of layers, expected {expected}")


def _tensors(value: object) -> list[keras.KerasTensor]:
    return keras.tree.flatten(value)
