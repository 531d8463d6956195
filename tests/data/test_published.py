"""Published data sets, each written to disk in its own format and read back pixel for pixel."""

import pickle
import shutil

import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds
from PIL import Image

from nvp_tf.catalogue import CATALOGUE
from nvp_tf.config import DataConfig
from nvp_tf.data import evaluation_batches, load, training_batches
from nvp_tf.errors import UserError


def noise(n, height, width, channels=3, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (n, height, width, channels)).astype(np.uint8)


def everything(split):
    return np.concatenate([x.numpy() for x in evaluation_batches(split, 7)])


def parts(name, root):
    data = load(DataConfig(name, str(root)))
    assert data.levels == 256 and data.name == name
    return [everything(split) for split in (data.train, data.valid, data.test)]


def check(name, root, train, test, valid=None):
    """train, test: what was written; where valid is None it is the last twentieth of train."""
    held_out = max(1, len(train) // 20) if valid is None else 0
    expected = [train[: len(train) - held_out], train[len(train) - held_out :] if valid is None else valid, test]
    for got, images in zip(parts(name, root), expected, strict=True):
        np.testing.assert_array_equal(got, images)


def rows(images):
    """Red, then green, then blue values of each image, one image a row."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)


def save_pictures(folder, images, name="{:03}.png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / name.format(i))


# How each layout is written: (root, train, test) -> None.


def write_svhn(root, train, test):
    for part, images in (("train", train), ("test", test)):
        scipy.io.savemat(root / f"{part}_32x32.mat", {"X": images.transpose(1, 2, 3, 0), "y": np.zeros((9, 1))})


def write_cifar_pickles(root, train, test):
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for i, images in enumerate(np.split(train, 5), start=1):
        (folder / f"data_batch_{i}").write_bytes(pickle.dumps({b"data": rows(images), b"labels": [1]}, protocol=2))
    (folder / "test_batch").write_bytes(pickle.dumps({b"data": rows(test)}, protocol=2))


def write_cifar_binary(root, train, test):
    def records(images):
        return np.column_stack([np.full(len(images), 7, np.uint8), rows(images)]).tobytes()

    for i, images in enumerate(np.split(train, 5), start=1):
        (root / f"data_batch_{i}.bin").write_bytes(records(images))
    (root / "test_batch.bin").write_bytes(records(test))


def write_imagenet_npz(root, train, test):
    # Ten batches of unequal size: the tenth comes after the ninth, not after the first.
    for i, images in enumerate(np.array_split(train, 10), start=1):
        save = np.savez if i % 2 else np.savez_compressed
        save(root / f"train_data_batch_{i}.npz", data=rows(images), labels=np.ones(len(images)), mean=np.zeros(3))
    np.savez(root / "val_data.npz", data=rows(test), labels=np.ones(len(test)))


def write_imagenet_folders(root, train, test):
    side = train.shape[1]
    save_pictures(root / f"train_{side}x{side}", train)
    save_pictures(root / f"valid_{side}x{side}", test)


LAYOUTS = {
    "svhn": ("svhn", 32, write_svhn),
    "cifar10_pickles": ("cifar10", 32, write_cifar_pickles),
    "cifar10_binary": ("cifar10", 32, write_cifar_binary),
    "imagenet32_npz": ("imagenet32", 32, write_imagenet_npz),
    "imagenet32_folders": ("imagenet32", 32, write_imagenet_folders),
    "imagenet64_npz": ("imagenet64", 64, write_imagenet_npz),
    "imagenet64_folders": ("imagenet64", 64, write_imagenet_folders),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_as_published(tmp_path, layout):
    name, side, write = LAYOUTS[layout]
    train, test = noise(45, side, side), noise(6, side, side, seed=1)
    assert CATALOGUE[name].found(tmp_path) is None
    write(tmp_path, train, test)
    check(name, tmp_path, train, test)
    assert CATALOGUE[name].found(tmp_path)


def test_tfd(tmp_path):
    images, fold = noise(40, 48, 48, 1), np.arange(40) % 4
    folds = np.column_stack([fold, fold[::-1], fold, fold, fold])
    scipy.io.savemat(tmp_path / "TFD_48x48.mat", {"images": images[..., 0], "folds": folds, "labs_ex": fold})
    unlabeled, _, valid, test = (images[fold == k] for k in range(4))
    check("tfd", tmp_path, unlabeled, test, valid)


def face_by_hand(image):
    """The central 148x148 at 64x64, by bilinear interpolation over the area that a pixel takes, in float64."""
    middle = image[40:188, 15:163].astype(np.float64)
    scale = 148 / 64
    centres = (np.arange(64) + 0.5) * scale
    weights = np.maximum(0, 1 - np.abs((np.arange(148) + 0.5 - centres[:, None]) / scale))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("ai,ijc,bj->abc", weights, middle, weights, optimize=True)


@pytest.mark.parametrize("nested", [False, True])
def test_celeba(tmp_path, nested):
    faces = noise(9, 218, 178)
    folder = tmp_path / "img_align_celeba" / ("img_align_celeba" if nested else "")
    save_pictures(folder, faces)
    which = [0, 0, 1, 2, 0, 1, 2, 2, 0]
    lines = "".join(f"{i:03}.png {k}\n" for i, k in enumerate(which))
    (tmp_path / "list_eval_partition.txt").write_text(lines)
    for k, got in enumerate(parts("celeba", tmp_path)):
        expected = np.stack([face_by_hand(face) for face, part in zip(faces, which, strict=True) if part == k])
        assert got.shape == expected.shape and got.dtype == np.uint8
        np.testing.assert_allclose(got, expected, atol=1.01)  # rounded once in each direction


def test_lsun_crops_are_fresh_and_of_the_resized_picture(tmp_path):
    # Red tells the column, green the row, blue the picture; already 96 pixels high, so that none is interpolated.
    y, x = np.mgrid[:96, :130]
    pictures = [np.dstack([x, y, np.full_like(x, 6 * i)]).astype(np.uint8) for i in range(40)]
    save_pictures(tmp_path / "data" / "tower_train", pictures)
    save_pictures(tmp_path / "data" / "tower_val", pictures[:3])
    data = load(DataConfig("lsun_tower", str(tmp_path)))
    assert [data.train.size, data.valid.size, data.test.size] == [38, 2, 3] and data.event_shape == (64, 64, 3)
    test = everything(data.test)
    assert (test == everything(data.test)).all()  # random, but the same each time
    epochs = [next(iter(training_batches(data.train, 38, seed=0, start_step=k)))["x"].numpy() for k in (0, 1)]
    corners = [{(crop[0, 0, 2], crop[0, 0, 1], crop[0, 0, 0]) for crop in epoch} for epoch in epochs]
    assert corners[0] != corners[1]
    for crop in [*test, *epochs[0]]:
        left, top, number = (int(v) for v in crop[0, 0])
        np.testing.assert_array_equal(crop, pictures[number // 6][top : top + 64, left : left + 64])


def test_lsun_smaller_side_becomes_96(tmp_path):
    for part in ("train", "val"):
        save_pictures(tmp_path / f"church_outdoor_{part}", noise(3, 300, 200), name="{:03}.jpg")
    assert parts("lsun_church_outdoor", tmp_path)[0].shape == (2, 64, 64, 3)


class CelebA(tfds.core.GeneratorBasedBuilder):
    """The real builder's name and feature, with made faces."""

    VERSION = tfds.core.Version("2.1.0")
    name = "celeb_a"

    def _info(self):
        features = tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(218, 178, 3), encoding_format="png")}
        )
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(k) for k, split in enumerate(["train", "validation", "test"])}

    def _generate_examples(self, k):
        for i, face in enumerate(noise(3, 218, 178, seed=k)):
            yield i, {"image": face}


def test_celeba_as_tensorflow_datasets_keeps_it(tmp_path):
    CelebA(data_dir=str(tmp_path)).download_and_prepare()
    for k, got in enumerate(parts("celeba", tmp_path)):
        expected = {face_by_hand(face).round().tobytes() for face in noise(3, 218, 178, seed=k)}
        assert len(got) == len(expected) == 3
        for face in got:  # in whatever order the records are
            distance = [np.abs(face - np.frombuffer(e).reshape(64, 64, 3)).max() for e in expected]
            assert min(distance) <= 1


def damage(name, how):
    """A data set on disk that something is wrong with."""

    def make(root):
        train, test = noise(45, 32, 32), noise(6, 32, 32)
        layout = {n: w for n, _, w in LAYOUTS.values()}[name] if name != "cifar10" else write_cifar_pickles
        layout(root, train, test)
        how(root)

    return make


def truncate(pattern, share=0.5):
    def how(root):
        [file] = root.glob(pattern)
        file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])

    return how


def evil(root):
    class Evil:
        def __reduce__(self):
            return (print, ("this ran",))

    (root / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps({b"data": Evil()}))


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("svhn", damage("svhn", truncate("test_32x32.mat")), "test_32x32.mat cannot be read"),
        ("svhn", damage("svhn", lambda r: (r / "test_32x32.mat").unlink()), "test_32x32.mat is missing"),
        (
            "svhn",
            lambda r: scipy.io.savemat(r / "train_32x32.mat", {"X": np.zeros((3, 4))}),
            r"X of float64 \(3, 4\), expected uint8 \(32, 32, 3, n\)",
        ),
        ("svhn", lambda r: scipy.io.savemat(r / "train_32x32.mat", {"Z": 1}), "has no X"),
        (
            "tfd",
            lambda r: scipy.io.savemat(r / "TFD_48x48.mat", {"images": noise(3, 48, 48, 1), "folds": np.ones((3, 5))}),
            r"images of uint8 \(3, 48, 48, 1\), expected uint8 \(n, 48, 48\)",
        ),
        ("cifar10", damage("cifar10", truncate("*/data_batch_3")), "data_batch_3 cannot be read"),
        ("cifar10", damage("cifar10", evil), "names builtins.print, expected arrays only"),
        (
            "cifar10",
            damage("cifar10", lambda r: shutil.rmtree(r / "cifar-10-batches-py")),
            "cifar10 is not in .*: expected",
        ),
        ("imagenet32", lambda r: np.savez(r / "train_data_batch_1.npz", data=noise(2, 4, 4)), "lacks val_data.npz"),
        ("imagenet32", lambda r: (r / "train_32x32").mkdir(), "valid_32x32 is missing"),
        ("lsun_bedroom", lambda r: (r / "bedroom_train").mkdir(), "bedroom_val is missing"),
        ("celeba", lambda r: (r / "img_align_celeba").mkdir(), "lacks list_eval_partition.txt"),
    ],
)
def test_damaged_and_incomplete_sets(tmp_path, capsys, name, make, message):
    make(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load(DataConfig(name, str(tmp_path)))
    assert "\n" not in str(caught.value) and "this ran" not in capsys.readouterr().out


def test_imagenet_of_another_size_and_cut_short(tmp_path):
    for file in ("train_data_batch_1.npz", "val_data.npz"):
        np.savez(tmp_path / file, data=rows(noise(5, 32, 32)))
    with pytest.raises(UserError, match=r"data of uint8 \(5, 3072\), expected uint8 \(n, 12288\)"):
        load(DataConfig("imagenet64", str(tmp_path)))
    truncate("val_data.npz")(tmp_path)
    with pytest.raises(UserError, match=r"val_data.npz cannot be read: File is not a zip file"):
        load(DataConfig("imagenet32", str(tmp_path)))
