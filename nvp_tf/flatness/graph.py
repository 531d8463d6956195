"""The units of a Keras model: which of its values may share a factor, read from its graph.

Each value between two layers gets a factor. Homogeneous layers tie the factors of what goes in and out; a layer that gives
and takes (dense, convolution, batch norm) leaves the two free; any other pins both to 1, as inputs and outputs are. What is
tied together and not pinned is a unit. So layers in a row, residual sums and parallel branches are one case.
"""

import keras

from nvp_tf.errors import UserError
from nvp_tf.flatness.roles import Role, role
from nvp_tf.flatness.units import Unit


class Graph:
    """The units of a Functional or Sequential model.

    units: in the order of their first layers.
    pinned: layer's name -> why its output cannot be rescaled.

    Raises:
      UserError: a model of another kind, or one that is not built.
    """

    def __init__(self, model: keras.Model):
        self._operations = _operations(model)
        self._number = {id(weight): i for i, weight in enumerate(model.weights)}
        self._tensors, self._tied, self._fixed = {}, {}, {}
        self._roles = {operation.name: self._role(operation) for operation in self._operations}
        for tensor in keras.tree.flatten(model.inputs):
            self._pin(tensor, "it is the model's input")
        for operation in self._operations:
            self._tie(operation)
        for tensor in keras.tree.flatten(model.outputs):
            self._pin(tensor, "it is the model's output")
        self.units = [self._unit(root) for root in self._free_roots()]
        self.units += [unit for each in self._roles.values() for unit in each.own]
        self.pinned = {
            operation.name: self._fixed[self._root(tensor)]
            for operation in self._operations
            for tensor in _tensors(operation.output)
            if self._root(tensor) in self._fixed
        }

    def _role(self, operation: keras.Operation) -> Role:
        return role(operation, lambda weight: self._number[id(weight)])

    def _tie(self, operation: keras.Operation) -> None:
        own, into, out = self._roles[operation.name], _tensors(operation.input), _tensors(operation.output)
        if own.passes:
            for tensor in into + out:
                self._join(out[0], tensor)
            return
        for tensors, changes in ((into, own.takes), (out, own.gives)):
            for tensor in tensors:
                self._join(tensor, tensor)
                if changes is None:
                    self._pin(tensor, f"{operation.name}: {own.why}")

    def _root(self, tensor: keras.KerasTensor) -> int:
        key = id(tensor)
        self._tensors.setdefault(key, tensor)
        while (parent := self._tied.setdefault(key, key)) != key:
            key = parent
        return key

    def _join(self, one: keras.KerasTensor, other: keras.KerasTensor) -> None:
        kept, gone = self._root(one), self._root(other)
        if kept == gone:
            return
        self._tied[gone] = kept
        if gone in self._fixed:
            self._fixed.setdefault(kept, self._fixed.pop(gone))

    def _pin(self, tensor: keras.KerasTensor, why: str) -> None:
        self._fixed.setdefault(self._root(tensor), why)

    def _free_roots(self) -> list[int]:
        return list(
            dict.fromkeys(
                root
                for operation in self._operations
                for tensor in _tensors(operation.output)
                if (root := self._root(tensor)) not in self._fixed
            )
        )

    def _unit(self, root: int) -> Unit:
        """All changes of the layers that touch the values of one root."""
        changes, name = {}, None
        for operation in self._operations:
            own = self._roles[operation.name]
            out = any(self._root(tensor) == root for tensor in _tensors(operation.output))
            into = any(self._root(tensor) == root for tensor in _tensors(operation.input))
            if own.passes:
                found = own.carried if out else []
            else:
                found = (own.gives if out else []) + (own.takes if into else [])
                name = name or (operation.name if out else None)
            changes |= dict.fromkeys(found)
        return Unit(name, self._channels(root) if all(change.axes for change in changes) else 1, tuple(changes))

    def _channels(self, root: int) -> int:
        """How many factors fit: the least last axis of the unit's values, where it divides all of them."""
        last = [self._tensors[key].shape[-1] for key in self._tied if self._root(self._tensors[key]) == root]
        channels = min(last)
        return channels if all(size % channels == 0 for size in last) else 1


def _operations(model: keras.Model) -> list[keras.Operation]:
    """The layers and operations in order. Each is used once."""
    if not (getattr(model, "inputs", None) and getattr(model, "outputs", None)):
        expected = "a Functional or Sequential Keras model that is built"
        raise UserError(f"{model.name} is a {type(model).__name__} without a graph of layers, expected {expected}")
    graph = keras.Model(model.inputs, model.outputs)
    found = [each for each in graph.operations if not isinstance(each, keras.layers.InputLayer)]
    for operation in found:
        try:
            operation.output  # noqa: B018
        except AttributeError:
            raise UserError(f"{operation.name} is used more than once, expected each layer in one place") from None
    return found


def _tensors(value: object) -> list[keras.KerasTensor]:
    return keras.tree.flatten(value)

