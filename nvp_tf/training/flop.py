"""The floating-point operations of a graph: those of its matrix products and convolutions."""

import math
from collections.abc import Iterator

import tensorflow as tf

KINDS = ("matrix", "convolution")


def count(graph: tf.Graph) -> dict[str, int]:
    """{"matrix": FLOP of the matrix products, "convolution": of the convolutions} of one run of a graph.

    A product of [m, k] and [k, n] has 2 m k n. A convolution has 2 k_h k_w c_in for each value that it
    gives, and either of its gradients has as many. What else there is, elementwise, is not counted. The body of a
    loop counts once.

    Raises:
      ValueError: a shape that the graph does not know.
    """
    found = dict.fromkeys(KINDS, 0)
    for operation in _operations(graph):
        if operation.type == "MatMul":
            rows, columns = _shape(operation.inputs[0])
            inner = rows if operation.get_attr("transpose_a") else columns
            found["matrix"] += 2 * inner * math.prod(_shape(operation.outputs[0]))
        elif operation.type in _CONVOLUTIONS:
            values, kernel = _CONVOLUTIONS[operation.type](operation)
            height, width, channels, _ = _shape(kernel)
            found["convolution"] += 2 * height * width * channels * math.prod(_shape(values))
    return found


# (what the convolution itself gives, its kernel)
_CONVOLUTIONS = {
    "Conv2D": lambda operation: (operation.outputs[0], operation.inputs[1]),
    "Conv2DBackpropInput": lambda operation: (operation.inputs[2], operation.inputs[1]),
    "Conv2DBackpropFilter": lambda operation: (operation.inputs[2], operation.outputs[0]),
}


# Operations that run another graph, by the attribute that names it.
_CALLS = {"PartitionedCall": "f", "StatefulPartitionedCall": "f", "While": "body", "StatelessWhile": "body"}


def _operations(graph: tf.Graph) -> Iterator[tf.Operation]:
    """Those that the graph's results need, and those of the functions that it calls."""
    needed, found = [tensor.op for tensor in graph.outputs] + graph.control_outputs, set()
    while needed:
        operation = needed.pop()
        if operation in found:
            continue
        found.add(operation)
        needed += [tensor.op for tensor in operation.inputs] + operation.control_inputs
        yield operation
        if operation.type in _CALLS:
            yield from _operations(graph._get_function(operation.get_attr(_CALLS[operation.type]).name).graph)


def _shape(tensor: tf.Tensor) -> list[int]:
    if not tensor.shape.is_fully_defined():
        raise ValueError(f"{tensor.name} has shape {tensor.shape}, expected one that the graph knows")
    return tensor.shape.as_list()
