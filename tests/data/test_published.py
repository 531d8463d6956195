"""Published data sets, each written to disk in its own format and read back pixel for pixel."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.catalogue import CATALOGUE
from nvp_tf.data.pipeline import evaluation_batches, training_batches
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError


def noise(n, height, width, channels=3, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (n, height, width, channels)).astype(np.uint8)


def everything(split):
    return np.concatenate([x.numpy() for x in evaluation_batches(split, 7)])


def parts(name, root):
    data = load_dataset(DataConfig(name, str(root)))
    assert data.event.levels == 256 and data.name == name
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


def scaled_faces(faces):
    """The authors' crop and TensorFlow 1's bilinear interpolation, as they call it; then rounded."""
    middle = tf.constant(faces[:, 40:188, 15:163].astype(np.float32))
    scaled = tf.compat.v1.image.resize_images(middle, [64, 64], method=0, align_corners=False)
    return np.rint(scaled.numpy()).astype(np.uint8)


@pytest.mark.parametrize(
    ("folder", "file", "line"),
    [
        ("img_align_celeba", "list_eval_partition.txt", "{:03}.png {}\n"),
        ("archive/img_align_celeba/img_align_celeba", "archive/list_eval_partition.csv", "{:03}.png,{}\r\n"),
    ],
)
def test_celeba(tmp_path, folder, file, line):
    faces, which = noise(9, 218, 178), np.array([0, 0, 1, 2, 0, 1, 2, 2, 0])
    save_pictures(tmp_path / folder, faces)
    header = "image_id,partition\n" if file.endswith("csv") else ""
    (tmp_path / file).write_text(header + "".join(line.format(i, k) for i, k in enumerate(which)))
    for k, got in enumerate(parts("celeba", tmp_path)):
        np.testing.assert_array_equal(got, scaled_faces(faces[which == k]))


def test_lsun_crops_are_fresh_and_of_the_resized_picture(tmp_path):
    # Red tells the column, green the row, blue the picture; already 96 pixels high, so that none is interpolated.
    y, x = np.mgrid[:96, :130]
    pictures = [np.dstack([x, y, np.full_like(x, 6 * i)]).astype(np.uint8) for i in range(40)]
    save_pictures(tmp_path / "data" / "tower_train", pictures)
    save_pictures(tmp_path / "data" / "tower_val", pictures[:3])
    data = load_dataset(DataConfig("lsun_tower", str(tmp_path)))
    assert [data.train.size, data.valid.size, data.test.size] == [38, 2, 3] and data.event.shape == (64, 64, 3)
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
        save_pictures(tmp_path / f"church_outdoor_{part}", noise(3, 300, 200))
    whole = [np.asarray(Image.fromarray(x).resize((96, 144), Image.Resampling.BILINEAR)) for x in noise(3, 300, 200)]
    for crop, image in zip(parts("lsun_church_outdoor", tmp_path)[2], whole, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(image, (64, 64, 3))
        assert (windows == crop).all(axis=(-1, -2, -3)).any()


# name: (builder, its splits, shape of its images, what becomes of them)
BUILDERS = {
    "mnist": ("mnist", ["train", "test"], (28, 28, 1), lambda x: x),
    "svhn": ("svhn_cropped", ["train", "test", "extra"], (32, 32, 3), lambda x: x),
    "cifar10": ("cifar10", ["train", "test"], (32, 32, 3), lambda x: x),
    "imagenet32": ("downsampled_imagenet/32x32", ["train", "validation"], (32, 32, 3), lambda x: x),
    "imagenet64": ("imagenet_resized/64x64", ["train", "validation"], (64, 64, 3), lambda x: x),
    "lsun_tower": ("lsun/tower", ["train", "validation"], (96, 96, 3), None),
    "celeba": ("celeb_a", ["train", "validation", "test"], (218, 178, 3), scaled_faces),
}


def write_builder(root, name, written):
    """Records under the real builder's name, of PNG images, in the folder where that builder looks for them."""
    builder = tfds.builder(name, data_dir=str(root))
    Path(builder.data_dir).mkdir(parents=True)
    feature = tfds.features.Image(shape=next(iter(written.values())).shape[1:], encoding_format="png")
    identity = builder.info._identity
    info = tfds.core.DatasetInfo(builder=identity, features=tfds.features.FeaturesDict({"image": feature}))
    writer = tfds.core.SequentialWriter(info, max_examples_per_shard=4000)
    writer.initialize_splits(list(written))
    for split, images in written.items():
        writer.add_examples({split: [{"image": image} for image in images]})
    writer.close_all()


@pytest.mark.parametrize("name", BUILDERS)
def test_records_of_tensorflow_datasets(tmp_path, name):
    builder, splits, shape, becomes = BUILDERS[name]
    sizes = {split: 5 for split in splits} | {"train": 2010 if name == "mnist" else 45}
    written = {split: noise(sizes[split], *shape, seed=seed) for seed, split in enumerate(splits)}
    write_builder(tmp_path, builder, written)
    assert CATALOGUE[name].found(tmp_path)
    train, valid, test = parts(name, tmp_path)
    if becomes is None:
        assert [len(train), len(valid), len(test)] == [43, 2, 5]
        windows = np.lib.stride_tricks.sliding_window_view(written["validation"], (1, 64, 64, 3))
        assert all((windows[i] == test[i]).all(axis=(-1, -2, -3, -4)).any() for i in range(5))
        return
    if name == "celeba":
        np.testing.assert_array_equal(valid, becomes(written["validation"]))
    else:
        train = np.concatenate([train, valid])
        assert len(valid) == (2000 if name == "mnist" else 2)
    np.testing.assert_array_equal(train, becomes(written["train"]))
    np.testing.assert_array_equal(test, becomes(written["test" if "test" in splits else "validation"]))


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
        (
            "imagenet32",
            lambda r: np.savez(r / "train_data_batch_1.npz", data=rows(noise(2, 32, 32))),
            "imagenet32-val is not in",
        ),
        ("imagenet32", lambda r: (r / "train_32x32").mkdir(), "valid_32x32 is missing"),
        ("lsun_bedroom", lambda r: (r / "bedroom_train").mkdir(), "bedroom_val is missing"),
        ("celeba", lambda r: (r / "img_align_celeba").mkdir(), "lacks list_eval_partition.txt"),
    ],
)
def test_damaged_and_incomplete_sets(tmp_path, capsys, name, make, message):
    make(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load_dataset(DataConfig(name, str(tmp_path)))
    assert "\n" not in str(caught.value) and "this ran" not in capsys.readouterr().out


def test_imagenet_of_both_sizes_in_one_data_dir(tmp_path):
    for side in (32, 64):
        (tmp_path / f"imagenet{side}").mkdir()
        write_imagenet_npz(tmp_path / f"imagenet{side}", noise(45, side, side), noise(6, side, side, seed=1))
    for side in (32, 64):
        check(f"imagenet{side}", tmp_path, noise(45, side, side), noise(6, side, side, seed=1))


def flip_bytes(data):
    """Damage in the middle of the compressed values."""
    middle = len(data) // 2
    return data[:middle] + bytes(255 - b for b in data[middle : middle + 50]) + data[middle + 50 :]


def test_imagenet_of_another_size_and_cut_short(tmp_path):
    for file in ("train_data_batch_1.npz", "val_data.npz"):
        np.savez(tmp_path / file, data=rows(noise(5, 32, 32)))
    with pytest.raises(UserError, match=r"imagenet64-train is not in .*, but rows of 3072: .* rows of 12288 values"):
        load_dataset(DataConfig("imagenet64", str(tmp_path)))
    truncate("val_data.npz")(tmp_path)
    with pytest.raises(UserError, match=r"val_data.npz cannot be read: File is not a zip file"):
        load_dataset(DataConfig("imagenet32", str(tmp_path)))
    np.savez_compressed(tmp_path / "val_data.npz", data=rows(noise(50, 32, 32)))
    (tmp_path / "val_data.npz").write_bytes(flip_bytes((tmp_path / "val_data.npz").read_bytes()))
    with pytest.raises(UserError, match=r"val_data.npz cannot be read: ") as caught:
        load_dataset(DataConfig("imagenet32", str(tmp_path)))
    assert "\n" not in str(caught.value)
