"""MNIST and Fashion-MNIST: from their own IDX files, otherwise as tensorflow_datasets keeps them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.catalogue import CATALOGUE
from nvp_tf.data.idx import read_images
from nvp_tf.data.published import published_arrays
from nvp_tf.data.split import DataSet
from nvp_tf.data.tfds_images import builder_images, prepared_builder
from nvp_tf.errors import UserError

_VALID = 2000  # The last training images.


def mnist(config: DataConfig) -> DataSet:
    """Handwritten digits, 28x28."""
    return _load("mnist", config.data_dir)


def fashion_mnist(config: DataConfig) -> DataSet:
    """Clothes, 28x28; without a data_dir, also from where Debian's package puts them."""
    return _load("fashion_mnist", config.data_dir)


def _load(name: str, data_dir: str | None) -> DataSet:
    folders = [data_dir] if data_dir else CATALOGUE[name].places
    arrays = next((found for folder in folders if (found := _from_idx(name, _nearest(name, folder)))), None)
    if arrays is None:
        return builder_images(name, prepared_builder(name, data_dir), held_out=_VALID)
    train, test = arrays
    return published_arrays(name, train, test, held_out=_VALID)


def _nearest(name: str, folder: str) -> Path:
    """The folder, or that below it which has the training images."""
    there = CATALOGUE[name].published(folder)
    return there[1].parent if there else Path(folder)


def _from_idx(name: str, folder: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """(train, test), each uint8 [n, 28, 28, 1], of the IDX files in `folder`; None if neither is there."""
    names = [(*layout.train, *layout.held_out) for layout in CATALOGUE[name].layouts]
    files = [_first(folder, of_part) for of_part in zip(*names, strict=True)]  # of each part, plain or compressed
    if not any(files):
        return None
    for file, expected in zip(files, names[-1], strict=True):
        if file is None:
            raise UserError(f"{folder} lacks {expected}, expected it beside the other IDX file")
    train, test = (read_images(file) for file in files if file)
    if train.shape[1:] != test.shape[1:]:
        raise UserError(f"{files[1]} has images of {test.shape[1:]}, expected {train.shape[1:]} as in training")
    return train, test


def _first(folder: Path, names: Iterable[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)
