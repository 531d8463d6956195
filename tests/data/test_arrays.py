import itertools

import numpy as np
import pytest
import tensorflow as tf

from nvp_tf.data.arrays import data_set, from_arrays
from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.errors import UserError


def images(n=20, shape=(4, 4, 1), dtype=np.uint8, levels=256):
    return np.random.RandomState(n).randint(0, levels, (n, *shape)).astype(dtype)


def vectors(n=20, dtype=np.float64):
    return np.random.RandomState(n).randn(n, 3).astype(dtype)


def everything(split):
    return np.concatenate([x.numpy() for x in evaluation_batches(split, 7)])


@pytest.mark.parametrize(
    ("train", "levels", "shape"),
    [
        (images(), 256, (4, 4, 1)),
        (images(shape=(4, 6), dtype=np.int64), 256, (4, 6, 1)),
        (images(shape=(2, 2, 3), dtype=np.int32, levels=17), 17, (2, 2, 3)),
        (vectors(), 256, (3,)),
        (vectors(dtype=np.float32), None, (3,)),
    ],
)
def test_held_out_splits_partition_the_array(train, levels, shape):
    data = from_arrays(train, levels=levels)
    assert data.event.shape == shape
    assert data.event.levels == (levels if len(shape) == 3 else None)
    parts = [everything(split) for split in (data.train, data.valid, data.test)]
    assert [len(part) for part in parts] == [16, 2, 2]
    expected = train.astype(np.uint8 if len(shape) == 3 else train.dtype).reshape(20, *shape)
    assert sorted(x.tobytes() for part in parts for x in part) == sorted(x.tobytes() for x in expected)
    assert (everything(from_arrays(train, levels=levels).test) == parts[2]).all()


def test_given_splits_are_kept_as_they_are():
    given = [images(20), images(3), images(5)]
    data = from_arrays(*given, name="mine")
    assert data.name == "mine"
    for split, array in zip((data.train, data.valid, data.test), given, strict=True):
        assert (everything(split) == array).all()


@pytest.mark.parametrize(
    ("train", "kwargs", "message"),
    [
        (images().astype(np.float32), {}, "arrays.train has type float32, expected integers 0..255"),
        (images(), {"levels": 16}, r"arrays.train has values \d+ to \d+, expected integers 0..15"),
        (images().astype(np.int64) - 300, {}, "arrays.train has values -"),
        (images(), {"levels": 257}, "levels is 257, expected 2 to 256"),
        (images(), {"levels": None}, "levels is None and arrays.train has rank 4, expected 2 to 256"),
        (images() > 127, {}, "has type bool, expected integers"),
        (np.arange(9), {}, r"has shape \(9,\), expected images"),
        (images()[:0], {}, r"has shape \(0, 4, 4, 1\), expected images"),
        ([[1, 2], [3]], {}, "arrays.train is ragged"),
        (None, {}, "arrays.train is of type NoneType, expected an array, a tensor, a tf.data.Dataset, a DataFrame"),
        (images(shape=(3, 8, 8)), {}, r"channels first, .* \(channels last: x.transpose\(0, 2, 3, 1\)\); from_arrays"),
        (images(shape=(13, 16, 16)), {}, "looks like channels first"),
        (images(shape=(9,)), {}, "has rank 2 and type uint8, expected floats"),
        (vectors() * np.nan, {}, "has NaN or infinite values"),
        (vectors() * 1e300, {}, "has NaN or infinite values"),
        (images(), {"test": images(shape=(4, 5, 1))}, r"arrays.test has examples of uint8 \(4, 5, 1\), expected uint8"),
        (images(), {"valid": vectors()}, "arrays.valid has examples of float64"),
        (images(2), {}, "arrays.train has 2 examples, expected at least 3"),
    ],
)
def test_bad_arrays(train, kwargs, message):
    with pytest.raises(UserError, match=message) as caught:
        from_arrays(train, **kwargs)
    assert "\n" not in str(caught.value)


class Frame:
    """As much of a DataFrame as pandas, polars and others have in common."""

    def __init__(self, values, columns):
        self.values, self.columns = values, columns

    def to_numpy(self):
        return self.values


class OnAnotherDevice:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


def dataset(*parts):
    return tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0])


X, V, LABELS = images(), vectors(dtype=np.float32), np.arange(20) % 3
GIVEN = {
    "a tensor": (tf.constant(X), X),
    "a list": (list(V), V),
    "another order of memory and bytes": (np.asfortranarray(V.astype(">f8")), V),
    "a mapped file": (np.memmap, X),
    "DataFrame": (Frame(V, ["a", "b", "c"]), V),
    "DataFrame of objects": (Frame(V.astype(object), ["a", "b", "c"]), V),
    "with labels": ((X, LABELS), X),
    "with labels, one-hot": ((V, np.eye(5)[LABELS]), V),
    "Dataset": (dataset(X), X),
    "Dataset in batches": (dataset(X).batch(8), X),
    "Dataset in batches of vectors": (dataset(V).batch(5, drop_remainder=True), V),
    "Dataset of greys in batches": (dataset(X[..., 0]).batch(3), X),
    "Dataset with labels": (dataset(X, LABELS).batch(8).prefetch(1), X),
    "Dataset of dicts": (dataset({"label": LABELS, "image": X}), X),
    "Dataset of dicts with weights": (dataset({"label": LABELS, "image": X}, LABELS).batch(2), X),
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_people_hand_over(name, tmp_path):
    given, expected = GIVEN[name]
    if given is np.memmap:
        np.save(tmp_path / "x.npy", X)
        given = np.load(tmp_path / "x.npy", mmap_mode="r")
    data, same = data_set(given, 256), from_arrays(expected)
    assert data.event == same.event
    for part in ("train", "valid", "test"):
        np.testing.assert_array_equal(everything(getattr(data, part)), everything(getattr(same, part)))


@pytest.mark.parametrize(
    "given",
    [
        ((X, LABELS), (X[:7], LABELS[:7])),
        {"x_train": X, "y_train": LABELS, "x_test": X[:7], "y_test": LABELS[:7], "names": np.array([None, 1]), "n": 3},
        from_arrays((X, LABELS), test=dataset(X[:7])),
    ],
    ids=["as keras.datasets", "a mapping", "a data set"],
)
def test_what_people_hand_over_in_parts(given):
    data = data_set(given)
    assert (data.train.size, data.valid.size) == (18, 2)
    np.testing.assert_array_equal(everything(data.test), X[:7])


def ragged():
    spec = tf.TensorSpec((None, None, 3), tf.uint8)
    return tf.data.Dataset.from_generator(lambda: (np.zeros((i + 1, 3, 3)) for i in range(5)), output_signature=spec)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (itertools.count(), "arrays is of type count, expected an array, .*, or a mapping of names to such"),
        (tf.sparse.from_dense(V), "arrays is of type SparseTensor"),
        (OnAnotherDevice(), "arrays of type OnAnotherDevice is no array: can't convert cuda:0"),
        (tf.ragged.constant([[1.0, 2.0], [3.0]]), "arrays is ragged"),
        ("x.npy", "arrays is the path 'x.npy', expected what is in it"),
        (Frame(np.array([["a", 1.0]], object), ["name", "n"]), "arrays has the columns name that are not numbers"),
        ((X, X), r"is a pair of shapes \(20, 4, 4, 1\) and .*, expected \(images, labels\)"),
        ((X, LABELS[:3]), "is a pair of shapes"),
        ({"a": X, "b": X}, r"has the arrays a \(uint8 20x4x4x1\), b .*; from_arrays\(train, valid, test\) takes them"),
        (dataset(X).repeat(), "is a Dataset that repeats without end"),
        (dataset(X).shuffle(20), "is a Dataset that differs each time it is read, expected one order, without shuffle"),
        (dataset(X[:0]), "is a Dataset without elements"),
        (dataset(LABELS), r"is a Dataset of TensorSpec\(shape=\(\)"),
        (dataset({"a": X, "b": LABELS}), "is a Dataset of a, b, expected one of them to be called image or x"),
        (ragged(), "is a Dataset of several shapes"),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_said_in_one_line(given, message):
    with pytest.raises(UserError, match=message) as caught:
        data_set(given)
    assert "\n" not in str(caught.value)
