"""SVHN: house numbers, cropped to 32x32, from its .mat files or as tensorflow_datasets keeps it."""

from pathlib import Path

import numpy as np

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.catalogue import CATALOGUE
from nvp_tf.data.mat import read_mat
from nvp_tf.data.published import published_arrays
from nvp_tf.data.split import DataSet
from nvp_tf.data.tfds_images import builder_images, prepared_builder
from nvp_tf.errors import UserError


def svhn(config: DataConfig) -> DataSet:
    """32x32 colour; the `extra` images are not used."""
    there = CATALOGUE["svhn"].published(config.data_dir)
    if there is None:
        return builder_images("svhn", prepared_builder("svhn", config.data_dir))
    layout, train = there
    return published_arrays("svhn", _images(train), _images(train.with_name(layout.held_out[0])))


def _images(file: Path) -> np.ndarray:
    """uint8 [n, 32, 32, 3] of X, which is stored as [32, 32, 3, n]."""
    x = read_mat(file, "X")
    if x.ndim != 4 or x.shape[:3] != (32, 32, 3) or x.dtype != np.uint8:
        raise UserError(f"{file} has X of {x.dtype} {x.shape}, expected uint8 (32, 32, 3, n)")
    return np.ascontiguousarray(x.transpose(3, 0, 1, 2))
