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


A, B, C, LABELS = IMAGES[:30], IMAGES[30:34], IMAGES[34:], np.arange(40) % 10
NAMED = [  # arrays, keys of the config, sizes of the splits, what is passed over
    ({"x_train": A, "y_train": LABELS, "x_test": C, "y_test": LABELS}, {}, (27, 3, 6), "y_train, y_test"),
    ({"train_images": A, "val_images": B, "test_images": C, "train_labels": LABELS}, {}, (30, 4, 6), "train_labels"),
    ({"trainX": VECTORS, "trainY": VECTORS, "X-dev": VECTORS[:7]}, {}, (36, 7, 4), "trainY"),
    ({"images": IMAGES, "labels": LABELS}, {}, (32, 4, 4), "labels"),
    ({"x": A, "test": C, "mean": IMAGES[0]}, {}, (27, 3, 6), "mean"),
    ({"arr_0": IMAGES, "arr_1": LABELS}, {}, (32, 4, 4), "arr_1"),
    ({"images": A, "n": 30, "of": "me", "by": np.array([None, 1], object)}, {}, (24, 3, 3), "n, of, by"),
    ({"clothes": A, "shoes": C, "train": VECTORS}, {"array": "clothes", "held_out": "shoes"}, (27, 3, 6), "train"),
    ({"a": A, "b": B, "c": C}, {"array": "a", "held_out": "b,c"}, (30, 4, 6), None),
    ({"train": A, "odd": C, "test": B}, {"held_out": "odd"}, (27, 3, 6), "test"),
    ({"x": np.asfortranarray(VECTORS.astype(">f8"))}, {}, (32, 4, 4), None),
]


@pytest.mark.parametrize(("arrays", "keys", "sizes", "passed_over"), NAMED)
def test_names_tell_which_arrays_are_meant(tmp_path, capsys, arrays, keys, sizes, passed_over):
    file = tmp_path / "a.npz"
    np.savez(file, **arrays)
    data = load_dataset(DataConfig("npz", str(file), **keys))
    assert (data.train.size, data.valid.size, data.test.size) == sizes
    if sizes[2] == 6:
        np.testing.assert_array_equal(everything(data.test), C)
    assert capsys.readouterr().err == (f"{file}: passed over: {passed_over}\n" if passed_over else "")
    with pytest.raises(UserError, match=r"has the arrays .*, expected nothing"):
        load_dataset(DataConfig("npz", str(file), array="nothing"))


@pytest.mark.parametrize(("channels", "shape"), [("first", (4, 6, 3)), ("last", (3, 4, 6))])
def test_channels_that_come_first_if_told(tmp_path, channels, shape):
    np.save(tmp_path / "a.npy", IMAGES.transpose(0, 3, 1, 2))
    data = load_dataset(DataConfig("npz", str(tmp_path / "a.npy"), channels=channels))
    assert data.event.shape == shape
    expected = IMAGES if channels == "first" else IMAGES.transpose(0, 3, 1, 2)
    assert {x.tobytes() for x in everything(data.train)} < {x.tobytes() for x in expected}


def test_levels_are_the_models_where_they_are_enough(tmp_path, capsys):
    found = {}
    for highest, levels, of_file in ((1, 2, None), (16, 17, None), (2, 2, None), (1, None, None), (1, 2, 5)):
        own = {} if of_file is None else {"levels": of_file}
        np.savez(tmp_path / "a.npz", x=np.minimum(IMAGES, highest), **own)
        found[highest, levels, of_file] = load_dataset(DataConfig("npz", str(tmp_path / "a.npz")), levels).event.levels
    assert list(found.values()) == [2, 17, 256, 256, 5]
    assert "values up to 2, so 256 levels, not the config's 2\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"a": IMAGES, "b": IMAGES},
            r"has the arrays a \(uint8 40x4x6x3\), b \(.*\), expected train.*=data.array=NAME",
        ),
        ({"train": IMAGES, "tset": IMAGES}, "has the arrays train .*, tset .*, expected"),
        ({"images": IMAGES, "data": IMAGES}, "has the arrays images .*, data .*, expected"),
        ({"x_val": IMAGES, "x_test": IMAGES}, "has the arrays x_val .*, expected train"),
        ({"train": IMAGES, "x_train": IMAGES}, "has the arrays train .*, expected"),
        ({"train": IMAGES, "test": VECTORS}, "npz.test has examples of float32"),
        ({"train": VECTORS.astype(object)}, r"has the arrays train \(object 40x5\), expected"),
        (
            {"x": IMAGES.transpose(0, 3, 1, 2)},
            r"channels first, .*x.transpose\(0, 2, 3, 1\)\); --set=data.channels=first",
        ),
        ({"x": IMAGES / 255}, r"has type float64, expected integers 0..255 for images: numpy.rint\(255 \* x\)"),
        (np.array([{}]), "cannot be read: it holds Python objects"),
        (None, "cannot be read"),
        ("damaged", "cannot be read"),
    ],
)
def test_unfit_files(tmp_path, arrays, message):
    file = tmp_path / "a.npz"
    if isinstance(arrays, dict):
        np.savez(file, **arrays)
    elif isinstance(arrays, str):
        np.savez_compressed(file, IMAGES)
        whole = file.read_bytes()
        file.write_bytes(whole[:900] + bytes(50) + whole[950:])
    elif arrays is not None:
        with open(file, "wb") as stream:
            np.save(stream, arrays)
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
