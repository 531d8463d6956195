"""A person's own arrays in a file: `--dataset=npz --data_dir=FILE`."""

import dataclasses
import zipfile
import zlib
from pathlib import Path

import numpy as np

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.split import DataSet
from nvp_tf.errors import UserError, reason


def npz(config: DataConfig) -> DataSet:
    """Integer images or float vectors under `train`, and `valid` and `test` if they are there; or one array.

    Images have 256 levels, or as many as the number `levels` in the file. For each of `valid` and `test` that is
    missing a tenth of the rest is held out, by a fixed permutation.

    Raises:
      UserError: no such file, a damaged one, arrays of other names, or what `from_arrays` refuses.
    """
    if config.data_dir is None or not Path(config.data_dir).is_file():
        raise UserError(f"npz has the data_dir {config.data_dir}, expected a file of arrays, as numpy.savez writes it")
    arrays = _read(config.data_dir)
    levels = _levels(arrays.pop("levels", 256), config.data_dir)
    if len(arrays) == 1:
        arrays = {"train": next(iter(arrays.values()))}
    unknown = [name for name in arrays if name not in ("train", "valid", "test")]
    if unknown or "train" not in arrays:
        raise UserError(
            f"{config.data_dir} has the arrays {', '.join(arrays) or 'none'}, expected train, and valid or test, "
            "or one array"
        )
    return from_arrays(arrays["train"], arrays.get("valid"), arrays.get("test"), levels, "npz")


def python_arrays(config: DataConfig) -> DataSet:
    """Of a run that was trained on arrays in Python: the same arrays, from a file as of `npz`.

    Raises:
      UserError: no file is given, or one that `npz` refuses.
    """
    if config.data_dir is None:
        raise UserError(
            f"the data set {config.name!r} is of arrays in Python, expected --data_dir=FILE with the same arrays, as "
            "numpy.savez(FILE, train=...) writes them, with levels=... where images have not 256"
        )
    return dataclasses.replace(npz(config), name=config.name)


def _levels(value: np.ndarray | int, file: str) -> int:
    if np.shape(value) or not np.issubdtype(np.asarray(value).dtype, np.integer):
        raise UserError(f"{file} has levels {value!r}, expected a number from 2 to 256")
    return int(value)


def _read(file: str) -> dict[str, np.ndarray]:
    """name -> array; a .npy file is one array without a name."""
    try:
        found = np.load(file, allow_pickle=False)
        return dict(found) if isinstance(found, np.lib.npyio.NpzFile) else {"train": found}
    except (OSError, ValueError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{file} cannot be read: {reason(error)}") from None
