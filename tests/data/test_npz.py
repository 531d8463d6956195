import numpy as np
import pytest

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError

IMAGES = np.random.RandomState(0).randint(0, 256, (40, 4, 6, 3)).astype(np.uint8)
VECTORS = np.random.RandomState(0).randn(40, 5).astype(np.float32)


def everything(split):
    return np.concatenate([x.numpy() for x in evaluation_batches(split, 7)])


@pytest.mark.parametrize("array", [IMAGES, VECTORS, IMAGES[..., 0]], ids=["colour", "vectors", "grey"])
def test_given_splits_are_kept_and_the_missing_one_is_held_out(tmp_path, array):
    np.savez(tmp_path / "a.npz", train=array[:30], test=array[30:])
    data = load_dataset(DataConfig("npz", str(tmp_path / "a.npz")))
    expected = array[..., None] if array.ndim == 3 else array
    assert data.event.shape == expected.shape[1:] and data.event.levels == (None if array.ndim == 2 else 256)
    np.testing.assert_array_equal(everything(data.test), expected[30:])
    rest = [x.tobytes() for split in (data.train, data.valid) for x in everything(split)]
    assert (data.train.size, data.valid.size) == (27, 3) and sorted(rest) == sorted(x.tobytes() for x in expected[:30])


@pytest.mark.parametrize("name", ["one.npz", "one.npy"])
def test_one_array_is_split_by_a_fixed_rule(tmp_path, name):
    file = tmp_path / name
    np.save(file, IMAGES) if name.endswith("y") else np.savez_compressed(file, x=IMAGES)
    first, again = (load_dataset(DataConfig("npz", str(file))) for _ in range(2))
    parts = [everything(split) for split in (first.train, first.valid, first.test)]
    assert [len(part) for part in parts] == [32, 4, 4]
    np.testing.assert_array_equal(parts[2], everything(again.test))
    assert sorted(x.tobytes() for part in parts for x in part) == sorted(x.tobytes() for x in IMAGES)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": IMAGES, "b": IMAGES}, "has the arrays a, b, expected train"),
        ({"train": IMAGES, "tset": IMAGES}, "has the arrays train, tset, expected"),
        ({"train": IMAGES, "test": VECTORS}, "npz.test has examples of float32"),
        ({"train": VECTORS.astype(object)}, "cannot be read: .*allow_pickle=False"),
        (None, "cannot be read"),
        ("damaged", "cannot be read"),
    ],
)
def test_unfit_files(tmp_path, arrays, message):
    file = tmp_path / "a.npz"
    if isinstance(arrays, dict):
        np.savez(file, **arrays)
    elif arrays == "damaged":
        np.savez_compressed(file, IMAGES)
        whole = file.read_bytes()
        file.write_bytes(whole[:900] + bytes(50) + whole[950:])
    else:
        file.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(UserError, match=message) as caught:
        load_dataset(DataConfig("npz", str(file)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["npz", "arrays", "mine"])
def test_arrays_of_python_come_from_a_file_under_their_name(tmp_path, name):
    """As `from_arrays` has them: split by the same rule, with the same levels."""
    given = from_arrays(IMAGES % 7, levels=7, name=name)
    np.savez(tmp_path / "a.npz", train=IMAGES % 7, levels=7)
    data = load_dataset(DataConfig(name, str(tmp_path / "a.npz")))
    assert (data.name, data.event) == (name, given.event)
    for part in ("train", "valid", "test"):
        np.testing.assert_array_equal(everything(getattr(data, part)), everything(getattr(given, part)))


def test_arrays_of_python_without_a_file(tmp_path):
    with pytest.raises(UserError, match=r"the data set 'arrays' is of arrays in Python, expected --data_dir=FILE"):
        load_dataset(DataConfig("arrays"))
    np.savez(tmp_path / "a.npz", train=IMAGES, levels=[7, 8])
    with pytest.raises(UserError, match=r"has levels array\(\[7, 8\]\), expected a number"):
        load_dataset(DataConfig("npz", str(tmp_path / "a.npz")))
