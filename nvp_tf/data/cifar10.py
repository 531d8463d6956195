"""CIFAR-10 (Krizhevsky 2009), from either of its two published layouts or as tensorflow_datasets keeps it."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.catalogue import CATALOGUE
from nvp_tf.data.published import published_arrays
from nvp_tf.data.split import DataSet
from nvp_tf.data.tfds_images import builder_images, prepared_builder
from nvp_tf.errors import UserError

_VALUES = 3 * 32 * 32


def cifar10(config: DataConfig) -> DataSet:
    """32x32 colour photographs of ten kinds of things."""
    there = CATALOGUE["cifar10"].published(config.data_dir)
    if there is None:
        return builder_images("cifar10", prepared_builder("cifar10", config.data_dir))
    layout, first = there
    read = _read_binary if first.suffix == ".bin" else _read_pickle
    train, test = (
        np.concatenate([_images(read(first.with_name(name))) for name in names])
        for names in (layout.train, layout.held_out)
    )
    return published_arrays("cifar10", train, test)


def _images(rows: np.ndarray) -> np.ndarray:
    """uint8 [n, 32, 32, 3] of rows that hold all red values, then all green, then all blue."""
    return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def _read_binary(file: Path) -> np.ndarray:
    """Records of a label and 3072 values."""
    data = _bytes(file)
    if not data or len(data) % (1 + _VALUES):
        raise UserError(f"{file} has {len(data)} bytes, expected a multiple of {1 + _VALUES}")
    return np.frombuffer(data, np.uint8).reshape(-1, 1 + _VALUES)[:, 1:]


def _read_pickle(file: Path) -> np.ndarray:
    data = _bytes(file)
    try:
        rows = _ArraysOnly(io.BytesIO(data), encoding="bytes").load()[b"data"]
    except Exception as error:  # A damaged pickle can raise nearly anything.
        raise UserError(f"{file} cannot be read: {error or type(error).__name__}") from None
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape[1:] != (_VALUES,):
        raise UserError(f"{file} has data of another kind, expected uint8 (n, {_VALUES})")
    return rows


def _bytes(file: Path) -> bytes:
    if not file.is_file():
        raise UserError(f"{file} is missing, expected it beside the other batches")
    return file.read_bytes()


class _ArraysOnly(pickle.Unpickler):
    """Pickles can run any code: of what they may name, only what makes an array."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"):
            return super().find_class(module, name)
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"names {module}.{name}, expected arrays only")
