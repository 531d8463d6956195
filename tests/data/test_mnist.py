import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.idx import read_images
from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def idx(images, magic=0x803):
    return struct.pack(">4I", magic, *images.shape) + images.tobytes()


def pixels(n, height=5, width=3):
    return np.random.RandomState(n).randint(0, 256, (n, height, width)).astype(np.uint8)


GOOD = idx(pixels(4))


@pytest.mark.parametrize(("name", "pack"), [("images", bytes), ("images.gz", gzip.compress)])
def test_round_trip(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(GOOD))
    assert (read_images(tmp_path / name) == pixels(4)[..., None]).all()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a", GOOD[:-1], "has 59 bytes after its header, expected 4 x 5 x 3 = 60"),
        ("a", GOOD + b"x", "has 61 bytes after its header, expected 4 x 5 x 3 = 60"),
        ("a", GOOD[:9], "has 9 bytes, expected an IDX header of 16"),
        ("a", b"", "has 0 bytes, expected"),
        ("a", idx(pixels(4), magic=0x801), "begins with 0x00000801, expected 0x00000803"),
        ("a", idx(np.zeros((4, 0, 3), np.uint8)), "has dimensions 4 x 0 x 3, expected none to be 0"),
        ("a.gz", GOOD, "cannot be read: Not a gzipped file"),
        ("a.gz", gzip.compress(GOOD, mtime=0)[:-20], "cannot be read"),
        ("a.gz", gzip.compress(GOOD, mtime=0)[:10] + b"\xff" * 40, "cannot be read: Error -3"),
        ("a.gz", gzip.compress(GOOD[:-1], mtime=0), "has 59 bytes after its header"),
    ],
)
def test_damaged_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_images(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_own_files_are_split(tmp_path, name):
    raw = tmp_path / "MNIST" / "raw"  # as torchvision keeps them
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").write_bytes(idx(pixels(2010)))
    (raw / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels(7))))
    data = load_dataset(DataConfig(name, data_dir=str(tmp_path)))
    assert data.event.shape == (5, 3, 1) and data.event.levels == 256
    read = [next(iter(evaluation_batches(split, 9999))).numpy() for split in (data.train, data.valid, data.test)]
    assert (np.concatenate(read[:2])[..., 0] == pixels(2010)).all()
    assert (read[2][..., 0] == pixels(7)).all()
    assert [len(x) for x in read] == [10, 2000, 7]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (pixels(2010), None, "lacks t10k-images-idx3-ubyte.gz"),
        (pixels(2010), pixels(7, 5, 4), r"has images of \(5, 4, 1\), expected \(5, 3, 1\)"),
        (pixels(2000), pixels(7), "mnist has 2000 training images, expected more than the 2000 that are held out"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path, train, test, message):
    for name, images in (("train-images-idx3-ubyte", train), ("t10k-images-idx3-ubyte", test)):
        if images is not None:
            (tmp_path / name).write_bytes(idx(images))
    with pytest.raises(UserError, match=message):
        load_dataset(DataConfig("mnist", data_dir=str(tmp_path)))


@pytest.mark.skipif(not DEBIAN.is_dir(), reason=f"{DEBIAN} is absent: apt install dataset-fashion-mnist")
def test_fashion_mnist_itself():
    data = load_dataset(DataConfig("fashion_mnist"))
    assert [data.train.size, data.valid.size, data.test.size] == [58000, 2000, 10000]
    test = next(iter(evaluation_batches(data.test, 10000))).numpy()
    assert test.shape == (10000, 28, 28, 1) and test.dtype == np.uint8
    assert test.mean() == pytest.approx(0.2868 * 255, abs=0.5)
