import numpy as np
import pytest
from sklearn.datasets import load_digits

from nvp_tf.config.presets.registry import PRESETS
from nvp_tf.config.schema import DataConfig
from nvp_tf.data import registry
from nvp_tf.data.catalogue import CATALOGUE
from nvp_tf.data.pipeline import evaluation_batches, training_batches
from nvp_tf.data.registry import load_dataset, names
from nvp_tf.errors import UserError

SETS = {  # name: (event_shape, levels, train, valid, test)
    "two_moons": ((2,), None, 10000, 2000, 5000),
    "digits": ((8, 8, 1), 17, 1400, 100, 297),
    "photos": ((32, 32, 3), 256, 10000, 500, 2000),
}


def everything(split):
    return np.concatenate([x.numpy() for x in evaluation_batches(split, 999)])


@pytest.mark.parametrize("name", SETS)
def test_sizes_types_and_fixed_disjoint_splits(name):
    data, again = load_dataset(DataConfig(name)), load_dataset(DataConfig(name))
    splits = [data.train, data.valid, data.test]
    assert (data.event.shape, data.event.levels, *(split.size for split in splits)) == SETS[name]
    arrays = [everything(split) for split in splits]
    assert all(array.shape[1:] == data.event.shape for array in arrays)
    assert {array.dtype for array in arrays} == {np.dtype(np.uint8 if data.event.levels else np.float32)}
    assert data.event.levels is None or max(array.max() for array in arrays) == data.event.levels - 1
    for array, split in zip(arrays, [again.train, again.valid, again.test], strict=True):
        assert (array == everything(split)).all()
    train, valid, test = [{x.tobytes() for x in array} for array in arrays]
    assert not (train & valid or train & test or valid & test)


def test_digits_are_those_of_scikit_learn():
    data = load_dataset(DataConfig("digits"))
    found = np.concatenate([everything(split) for split in (data.train, data.valid, data.test)])
    expected = load_digits().images.astype(np.uint8)[..., None]
    assert sorted(x.tobytes() for x in found) == sorted(x.tobytes() for x in expected)


def test_flips_mirror_training_images_only():
    plain, flipped = load_dataset(DataConfig("digits")), load_dataset(DataConfig("digits", flips=True))
    for part in ("valid", "test"):
        assert (everything(getattr(plain, part)) == everything(getattr(flipped, part))).all()
    one, other = [next(iter(training_batches(d.train, 64, 0)))["x"].numpy() for d in (plain, flipped)]
    same, mirrored = (one == other).all(axis=(1, 2, 3)), (one[:, :, ::-1] == other).all(axis=(1, 2, 3))
    assert (same | mirrored).all() and 10 < same.sum() < 54


def test_names_are_what_load_knows():
    assert set(SETS) < set(names()) == set(CATALOGUE) == set(registry._LOADERS)
    assert {preset.config.data.name for preset in PRESETS.values()} <= set(names())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DataConfig("two_moons", flips=True), "flips is true for two_moons, whose examples are vectors"),
        (DataConfig("no_such_set"), "'no_such_set' is not known, expected one of two_moons, .*tensorflow_datasets"),
        (DataConfig("two words"), "'two words' cannot be used"),
        (DataConfig("caltech101", data_dir="/nowhere"), "'caltech101' is not in /nowhere/.*download_and_prepare"),
        (DataConfig("cifar10", data_dir="/nowhere"), "cifar10 is not in /nowhere: .*cifar-10-batches-py/.*builder"),
        (DataConfig("svhn", data_dir="/nowhere"), "svhn is not in /nowhere: .*test_32x32.mat.*builder..svhn_cropped"),
        (DataConfig("tfd"), "tfd is not in a data_dir: expected, in data_dir, TFD_48x48.mat"),
        (
            DataConfig("imagenet64", data_dir="/nowhere"),
            "imagenet64 is not in /nowhere: .*valid_64x64.*val_data.npz.*imagenet_resized/64x64",
        ),
        (DataConfig("lsun_tower", data_dir="/nowhere"), "lsun_tower is not in /nowhere: .*tower_val.*lsun/tower"),
        (DataConfig("celeba", data_dir="/nowhere"), "celeba is not in /nowhere: .*list_eval_partition.txt.*celeb_a"),
        (DataConfig("npz", data_dir="/nowhere"), "npz has the data_dir /nowhere, expected a file of arrays"),
        (DataConfig("imdb_reviews", data_dir="/nowhere"), "has features .*, expected image, of uint8"),
        (
            DataConfig("mnist", data_dir="/nowhere"),
            "mnist is not in /nowhere: .*t10k-images-idx3-ubyte.gz, or",
        ),
        (DataConfig("fashion_mnist", data_dir="/nowhere"), "not in /nowhere: .*apt install dataset-fashion-mnist"),
    ],
    ids=lambda value: value.name if isinstance(value, DataConfig) else "",
)
def test_what_cannot_be_loaded_is_said_in_one_line(config, message):
    with pytest.raises(UserError, match=message) as caught:
        load_dataset(config)
    assert "\n" not in str(caught.value)
