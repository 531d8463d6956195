"""What a person hands over in Python, as arrays: numpy, tensors, tf.data, pairs with labels, data frames."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.autograph.experimental import do_not_convert

from nvp_tf.data.array_names import choose, role
from nvp_tf.data.npz_rows import Header
from nvp_tf.errors import UserError, reason

_TAKEN = "an array, a tensor, a tf.data.Dataset, a DataFrame, (images, labels), or a mapping of names to such"
_READ_TWICE = 4  # elements of a Dataset, to see that their order stays


def parts(data: object, where: str) -> dict[str, np.ndarray]:
    """{"train": array}, and "valid" and "test" where they are given.

    Args:
      data: what `examples` takes; a mapping of names to such, chosen by `array_names.choose`; or, as
        `keras.datasets` has them, ((x_train, y_train), (x_test, y_test)).
      where: what messages call it.

    Raises:
      UserError: anything else.
    """
    if isinstance(data, Mapping):
        arrays = {str(name): _array(value, f"{where}[{name!r}]") for name, value in data.items()}
        headers = {name: Header(array.shape, array.dtype) for name, array in arrays.items()}
        chosen = choose(headers, where, "from_arrays(train, valid, test) takes them whatever they are called")
        passed_over(where, (name for name in arrays if name not in chosen.values()))
        return {part: arrays[name] for part, name in chosen.items()}
    if isinstance(data, tuple) and 2 <= len(data) <= 3 and all(isinstance(part, tuple) for part in data):
        names = ("train", "valid", "test") if len(data) == 3 else ("train", "test")
        return {name: examples(part, f"{where}.{name}") for name, part in zip(names, data, strict=True)}
    return {"train": examples(data, where)}


def examples(data: object, where: str) -> np.ndarray:
    """The array [n, ...] that `data` is, without the labels of (images, labels).

    A tf.data.Dataset is read to its end, once; its elements are examples or batches of them.

    Raises:
      UserError: of another type, of several shapes, without an end, or in another order each time.
    """
    if isinstance(data, tuple) and len(data) == 2 and np.ndim(array := _array(data[0], where)) > 1:
        return _without_labels(array, _array(data[1], where), where)
    return _array(data, where)


def passed_over(where: str, names: Iterable[str]) -> None:
    """Says on stderr which arrays are not used."""
    if listed := ", ".join(names):
        print(f"{where}: passed over: {listed}", file=sys.stderr, flush=True)


def _array(data: object, where: str) -> np.ndarray:
    if isinstance(data, tf.data.Dataset):
        return _read(data, where)
    if isinstance(data, tf.RaggedTensor):
        raise UserError(f"{where} is ragged, expected examples of one shape")
    if isinstance(data, str | Path):
        raise UserError(f"{where} is the path {str(data)!r}, expected what is in it, such as numpy.load gives")
    if hasattr(data, "to_numpy") and hasattr(data, "columns"):
        return _frame(data, where)
    try:
        array = np.asarray(data)
    except ValueError:
        raise UserError(f"{where} is ragged, expected examples of one shape") from None
    except Exception as error:  # a tensor on another device, or of gradients: each library has its own
        raise UserError(f"{where} of type {type(data).__name__} is no array: {reason(error)[:200]}") from None
    if array.dtype == object and array.ndim == 0:
        raise UserError(f"{where} is of type {type(data).__name__}, expected {_TAKEN}")
    return array


def _frame(data: Any, where: str) -> np.ndarray:
    """float64 [n, columns] of a pandas, polars or other DataFrame."""
    array = np.asarray(data.to_numpy())
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    wrong = [str(name) for name, column in zip(data.columns, array.T, strict=True) if not _are_numbers(column)]
    if wrong:
        raise UserError(f"{where} has the columns {', '.join(wrong)} that are not numbers, expected numbers alone")
    return array.astype(np.float64)


def _are_numbers(column: np.ndarray) -> bool:
    try:
        column.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return True


def _without_labels(array: np.ndarray, labels: np.ndarray, where: str) -> np.ndarray:
    if len(labels.shape) not in (1, 2) or len(labels) != len(array) or labels.shape[1:] == array.shape[1:]:
        raise UserError(
            f"{where} is a pair of shapes {array.shape} and {labels.shape}, expected (images, labels); "
            "from_arrays(train, valid, test) takes several parts"
        )
    passed_over(where, ["labels"])
    return array


def _read(dataset: tf.data.Dataset, where: str) -> np.ndarray:
    """[n, ...] of all elements."""
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise UserError(f"{where} is a Dataset that repeats without end, expected one that ends: without repeat()")
    path, spec = _leaf(dataset.element_spec, where)
    if not isinstance(spec, tf.TensorSpec) or not spec.shape.rank:
        raise UserError(f"{where} is a Dataset of {spec}, expected images [h, w, c], vectors [d], or batches of them")
    several = isinstance(dataset.element_spec, tuple)
    only = dataset.map(do_not_convert(lambda *element: _at(element if several else element[0], path)))
    begins = list(itertools.islice(only.as_numpy_iterator(), _READ_TWICE))
    elements = list(only.as_numpy_iterator())
    if not elements:
        raise UserError(f"{where} is a Dataset without elements, expected examples")
    if not all(np.array_equal(first, again) for first, again in zip(begins, elements, strict=False)):
        raise UserError(
            f"{where} is a Dataset that differs each time it is read, expected one order, without shuffle(): examples "
            "are held out by their number, and training shuffles by itself"
        )
    try:
        return np.concatenate(elements) if _is_batched(spec) else np.stack(elements)
    except ValueError:
        raise UserError(f"{where} is a Dataset of several shapes, expected examples of one shape") from None


def _leaf(spec: Any, where: str) -> tuple[list[Any], Any]:
    """(Keys to the examples in an element, their spec): in a tuple the first, in a dict the one that is called so."""
    path: list[Any] = []
    while isinstance(spec, tuple | Mapping):
        names: list[Any] = list(spec) if isinstance(spec, Mapping) else list(range(len(spec)))
        found = [name for name in names if _are_examples(name)] if isinstance(spec, Mapping) else [0]
        if len(found) != 1:
            raise UserError(f"{where} is a Dataset of {', '.join(names)}, expected one of them to be called image or x")
        path.append(found[0])
        if isinstance(spec, Mapping):
            passed_over(where, (f"{name} of each element" for name in names if name != found[0]))
        elif len(names) > 1:
            passed_over(where, ["all but the first of each element"])
        spec = spec[found[0]]
    return path, spec


def _are_examples(name: str) -> bool:
    says = role(name)
    return says is not None and not says.labels


def _at(element: Any, path: list[Any]) -> tf.Tensor:
    for key in path:
        element = element[key]
    return element


def _is_batched(spec: tf.TensorSpec) -> bool:
    """Of rank 4 it must be; of ranks 2 and 3 if only the first length is open, or if it can be no image."""
    open_first = spec.shape[0] is None and None not in list(spec.shape)[1:]
    if spec.shape.rank == 2:
        return open_first or spec.dtype.is_floating
    return spec.shape.rank > 3 or (spec.shape.rank == 3 and open_first)
