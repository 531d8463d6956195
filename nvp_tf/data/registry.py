"""Data sets by name."""

import dataclasses
from pathlib import Path

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import ARRAYS
from nvp_tf.data.bundled import digits, two_moons
from nvp_tf.data.catalogue import CATALOGUE
from nvp_tf.data.celeba import celeba
from nvp_tf.data.cifar10 import cifar10
from nvp_tf.data.columns import dequantized
from nvp_tf.data.folder import folder
from nvp_tf.data.imagenet import imagenet32, imagenet64
from nvp_tf.data.lsun import lsun_bedroom, lsun_church_outdoor, lsun_tower
from nvp_tf.data.mnist import fashion_mnist, mnist
from nvp_tf.data.npz import npz, python_arrays
from nvp_tf.data.photos import photos
from nvp_tf.data.sklearn_tables import breast_cancer, diabetes, wine
from nvp_tf.data.split import DataSet, Flipped
from nvp_tf.data.svhn import svhn
from nvp_tf.data.table import table
from nvp_tf.data.tfd import tfd
from nvp_tf.data.tfds_images import tfds_images
from nvp_tf.errors import UserError

# Each takes a DataConfig; its name is in the catalogue.
_LOADERS = {
    loader.__name__: loader
    for loader in (
        two_moons, digits, photos, fashion_mnist, mnist, tfd, svhn, cifar10, imagenet32, imagenet64, lsun_bedroom,
        lsun_tower, lsun_church_outdoor, celeba, folder, npz, table, breast_cancer, wine, diabetes,
    )
}  # fmt: skip


def names() -> list[str]:
    """The built-in data sets; `load` also takes any image data set of tensorflow_datasets."""
    return list(CATALOGUE)


def load_dataset(config: DataConfig) -> DataSet:
    """The data set that a config names, its training images flipped at random, or its vectors dequantized, if it
    says so.

    One that was arrays in Python, under whatever name, is read from the file that data_dir is (`python_arrays`).

    Raises:
      UserError: an unknown name, data that is missing or damaged, flips of vectors, or other noise for images.
    """
    data = _load(config)
    if config.dequantize:
        if data.event.is_image:
            raise UserError(f"dequantize is true for {config.name}, whose images always are, expected false")
        data = dequantized(data)
    if not config.flips:
        return data
    if not data.event.is_image:
        raise UserError(f"flips is true for {config.name}, whose examples are vectors, expected false")
    return dataclasses.replace(data, train=Flipped(data.train))


def _load(config: DataConfig) -> DataSet:
    if config.name in _LOADERS:
        return _LOADERS[config.name](config)
    if config.name == ARRAYS or (config.data_dir and Path(config.data_dir).is_file()):
        return python_arrays(config)
    return tfds_images(config.name, config.data_dir, built_in=names())
