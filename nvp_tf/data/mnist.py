"""MNIST and Fashion-MNIST: from their own IDX files, otherwise as tensorflow_datasets keeps them."""

from pathlib import Path

from nvp_tf.data.catalogue import CATALOGUE
from nvp_tf.data.idx import read_images
from nvp_tf.data.published import published_arrays
from nvp_tf.data.tfds_images import builder_images, prepared_builder
from nvp_tf.errors import UserError

_FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
_VALID = 2000  # The last training images.


def mnist(config):
    """Handwritten digits, 28x28."""
    return _load("mnist", config.data_dir)


def fashion_mnist(config):
    """Clothes, 28x28; without a data_dir, also from where Debian's package puts them."""
    return _load("fashion_mnist", config.data_dir)


def _load(name, data_dir):
    folders = [data_dir] if data_dir else CATALOGUE[name].places
    arrays = next((found for folder in folders if (found := _from_idx(Path(folder)))), None)
    if arrays is None:
        return builder_images(name, prepared_builder(name, data_dir), held_out=_VALID)
    return published_arrays(name, *arrays, held_out=_VALID)


def _from_idx(folder):
    """(train, test), each uint8 [n, 28, 28, 1], of the IDX files in `folder`; None if neither is there."""
    found = {}
    for part, file in _FILES.items():
        for path in (folder / file, folder / f"{file}.gz"):
            if path.is_file():
                found.setdefault(part, path)
    if not found:
        return None
    for part, file in _FILES.items():
        if part not in found:
            raise UserError(f"{folder} lacks {file}.gz, expected it beside the other IDX file")
    train, test = read_images(found["train"]), read_images(found["test"])
    if train.shape[1:] != test.shape[1:]:
        raise UserError(f"{found['test']} has images of {test.shape[1:]}, expected {train.shape[1:]} as in training")
    return train, test
