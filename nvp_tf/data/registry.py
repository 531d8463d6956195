"""Data sets by name."""

import dataclasses

from nvp_tf.data.bundled import digits, two_moons
from nvp_tf.data.folder import folder
from nvp_tf.data.mnist import fashion_mnist, mnist
from nvp_tf.data.photos import photos
from nvp_tf.data.split import DataSet, Flipped
from nvp_tf.data.tfds_images import tfds_images
from nvp_tf.errors import UserError

# Each takes a DataConfig.
_LOADERS = {
    "digits": digits,
    "fashion_mnist": fashion_mnist,
    "folder": folder,
    "mnist": mnist,
    "photos": photos,
    "two_moons": two_moons,
}


def names() -> list[str]:
    """The built-in data sets; `load` also takes any image data set of tensorflow_datasets."""
    return list(_LOADERS)


def load(config) -> DataSet:
    """The data set that a DataConfig names, its training images flipped at random if it says so.

    Raises:
      UserError: an unknown name, data that is missing or damaged, or flips of vectors.
    """
    loader = _LOADERS.get(config.name)
    data = loader(config) if loader else tfds_images(config.name, config.data_dir, built_in=names())
    if not config.flips:
        return data
    if len(data.event_shape) != 3:
        raise UserError(f"flips is true for {config.name}, whose examples are vectors, expected false")
    return dataclasses.replace(data, train=Flipped(data.train))
