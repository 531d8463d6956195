import numpy as np
import pytest

from nvp_tf.data.arrays import from_arrays
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
