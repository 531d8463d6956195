"""A person's own arrays in a file: `--dataset=npz --data_dir=FILE`."""

import dataclasses
import zipfile
import zlib
from pathlib import Path

import numpy as np

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.array_names import choose
from nvp_tf.data.arrays import check_channels, enough_levels, from_arrays
from nvp_tf.data.given import passed_over
from nvp_tf.data.npz_rows import npz_headers
from nvp_tf.data.split import DataSet
from nvp_tf.errors import UserError, reason

_REMEDY = "--set=data.array=NAME says which to train on, data.held_out=NAME which to test on"
_CHANNELS = "--set=data.channels=first reads it so, =last"


def npz(config: DataConfig, levels: int | None = None) -> DataSet:
    """Integer images [n, h, w(, c)] or float vectors [n, d]: a .npy file, or those of an .npz file that its names tell.

    `array_names` has the names: train, x_train, train_images, images beside labels; or one array. `array` and
    `held_out` of the config are other names. For each of validation and test that is missing a tenth of the rest is
    held out, by a fixed permutation.

    Images have as many levels as the number `levels` in the file says; without it as many as the model, if
    that is enough, and 256 if not.

    Args:
      levels: the model's.

    Raises:
      UserError: no such file, a damaged one, arrays of other names, or what `from_arrays` refuses.
    """
    if config.data_dir is None or not Path(config.data_dir).is_file():
        raise UserError(f"npz has the data_dir {config.data_dir}, expected a file of arrays, as numpy.savez writes it")
    file = config.data_dir
    arrays, own_levels = _read(file, config)
    if config.channels == "first":
        arrays = {part: np.moveaxis(array, 1, -1) if array.ndim == 4 else array for part, array in arrays.items()}
    if not config.channels:
        check_channels(arrays["train"].shape, f"{file}'s train", _CHANNELS)
    levels = enough_levels(arrays.values(), levels, file) if own_levels is None else own_levels
    return from_arrays(arrays["train"], arrays.get("valid"), arrays.get("test"), levels, "npz", channels_last=True)


def python_arrays(config: DataConfig, levels: int | None = None) -> DataSet:
    """Of a run that was trained on arrays in Python: the same arrays, from a file as of `npz`.

    Raises:
      UserError: no file is given, or one that `npz` refuses.
    """
    if config.data_dir is None:
        raise UserError(
            f"the data set {config.name!r} is of arrays in Python, expected --data_dir=FILE with the same arrays, as "
            "numpy.savez(FILE, train=...) writes them, with levels=... where images have not 256"
        )
    last = DataConfig("npz", config.data_dir, channels="last")  # `from_arrays` has seen them
    return dataclasses.replace(npz(last, levels), name=config.name)


def _read(file: str, config: DataConfig) -> tuple[dict[str, np.ndarray], int | None]:
    """({part: array}, the file's `levels`); a .npy file is one array without a name."""
    try:
        found = np.load(file, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            return {"train": found}, None
        with found:
            headers = npz_headers(file)
            levels = _levels(found["levels"], file) if headers.pop("levels", None) else None
            chosen = choose(headers, file, _REMEDY, config.array, config.held_out)
            passed_over(file, (name for name in headers if name not in chosen.values()))
            return {part: found[name] for part, name in chosen.items()}, levels
    except UserError:
        raise
    except (OSError, ValueError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as error:
        why = "it holds Python objects" if "allow_pickle" in str(error) else reason(error)
        raise UserError(f"{file} cannot be read: {why}") from None


def _levels(value: np.ndarray, file: str) -> int:
    if value.shape or not np.issubdtype(value.dtype, np.integer):
        raise UserError(f"{file} has levels {value!r}, expected a number from 2 to 256")
    return int(value)
