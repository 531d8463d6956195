"""SVHN: house numbers, cropped to 32x32, from its .mat files or as tensorflow_datasets keeps it."""

import numpy as np

from nvp_tf.data.catalogue import look
from nvp_tf.data.mat import read_mat
from nvp_tf.data.published import published_arrays
from nvp_tf.data.tfds_images import builder_images, prepared_builder
from nvp_tf.errors import UserError


def svhn(config):
    """32x32 colour; the `extra` images are not used."""
    train = look(config.data_dir, "train_32x32.mat")
    if not train:
        return builder_images("svhn", prepared_builder("svhn", config.data_dir))
    return published_arrays("svhn", *(_images(file) for file in (train, train.with_name("test_32x32.mat"))))


def _images(file):
    """uint8 [n, 32, 32, 3] of X, which is stored as [32, 32, 3, n]."""
    x = read_mat(file, "X")
    if x.ndim != 4 or x.shape[:3] != (32, 32, 3) or x.dtype != np.uint8:
        raise UserError(f"{file} has X of {x.dtype} {x.shape}, expected uint8 (32, 32, 3, n)")
    return np.ascontiguousarray(x.transpose(3, 0, 1, 2))
