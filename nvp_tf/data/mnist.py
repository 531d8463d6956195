"""MNIST and Fashion-MNIST: from their own IDX files, otherwise as tensorflow_datasets keeps them."""

from pathlib import Path

from nvp_tf.data.idx import read_images
from nvp_tf.data.split import ArraySplit, DataSet
from nvp_tf.data.tfds_images import find_builder, prepare_command, read_image_splits
from nvp_tf.errors import UserError

_FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
_VALID = 2000  # The last training images.
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def mnist(config):
    """Handwritten digits, 28x28."""
    return _load("mnist", config.data_dir, folder=config.data_dir)


def fashion_mnist(config):
    """Clothes, 28x28; without a data_dir, also from where Debian's package puts them."""
    remedy = "no data_dir after `apt install dataset-fashion-mnist`, "
    folder = _DEBIAN if config.data_dir is None else config.data_dir
    return _load("fashion_mnist", config.data_dir, folder, remedy)


def _load(name, data_dir, folder, remedy=""):
    arrays = None if folder is None else _from_idx(Path(folder))
    if arrays is None:
        builder = find_builder(name, data_dir)
        if not builder.is_prepared():
            raise UserError(
                f"{name} is not in {folder or builder.data_dir}: expected {_FILES['train']}.gz and {_FILES['test']}.gz "
                f"in data_dir, {remedy}or the result of `{prepare_command(name, data_dir)}`"
            )
        arrays = read_image_splits(builder, "train", "test")
    train, test = arrays
    return DataSet(
        name=name,
        event_shape=train.shape[1:],
        levels=256,
        train=ArraySplit(train[:-_VALID]),
        valid=ArraySplit(train[-_VALID:]),
        test=ArraySplit(test),
    )


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
    if len(train) <= _VALID:
        raise UserError(f"{found['train']} has {len(train)} images, expected more than {_VALID}")
    return train, test
