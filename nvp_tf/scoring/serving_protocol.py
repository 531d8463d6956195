"""The messages of TensorFlow Serving, and the arrays in them, without TensorFlow, whose import takes seconds."""

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def _messages_alone() -> Iterator[None]:
    """`tensorflow.core`, of which the messages are, can be imported, and TensorFlow itself is not.

    A package without contents stands in its place meanwhile. Imported afterwards, TensorFlow takes the same messages.
    """
    spec = importlib.util.find_spec("tensorflow")
    if "tensorflow" in sys.modules or spec is None:
        yield
        return
    stand_in = types.ModuleType("tensorflow")
    stand_in.__path__ = list(spec.submodule_search_locations or ())
    sys.modules["tensorflow"] = stand_in
    try:
        yield
    finally:
        del sys.modules["tensorflow"]


with _messages_alone():
    from tensorflow.core.framework import tensor_pb2, types_pb2
    from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2, predict_pb2, prediction_service_pb2_grpc

__all__ = [
    "array_of",
    "dtype_of",
    "get_model_metadata_pb2",
    "model_pb2",
    "predict_pb2",
    "prediction_service_pb2_grpc",
    "tensor_of",
]
# The field that has the values of a dtype where they are not bytes one after the other.
_FIELDS = {
    "float32": (types_pb2.DT_FLOAT, "float_val"),
    "float64": (types_pb2.DT_DOUBLE, "double_val"),
    "uint8": (types_pb2.DT_UINT8, "int_val"),
    "int32": (types_pb2.DT_INT32, "int_val"),
    "int64": (types_pb2.DT_INT64, "int64_val"),
}
_NAMES = {number: name for name, (number, _) in _FIELDS.items()}


def dtype_of(number: int) -> str:
    """The name of a dtype of a signature; of one that no export has, what the protocol calls it."""
    return _NAMES.get(number) or types_pb2.DataType.Name(number)


def tensor_of(array: np.ndarray) -> tensor_pb2.TensorProto:
    """An array of any shape as a message."""
    tensor = tensor_pb2.TensorProto(dtype=_FIELDS[array.dtype.name][0], tensor_content=array.tobytes())
    for side in array.shape:
        tensor.tensor_shape.dim.add(size=side)
    return tensor


def array_of(tensor: tensor_pb2.TensorProto) -> np.ndarray:
    """The array of a message. Of values in a field, the last stands for all that are left out."""
    name, shape = dtype_of(tensor.dtype), [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, name).reshape(shape)
    values, size = np.array(getattr(tensor, _FIELDS[name][1]), name), int(np.prod(shape))
    return np.pad(values, (0, size - len(values)), "edge" if len(values) else "constant").reshape(shape)
