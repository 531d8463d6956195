"""Published data sets, each written to disk in its own format and read back pixel for pixel."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image
from published import LAYOUTS, noise, save_pictures, write_imagenet_npz

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.catalogue import CATALOGUE
from nvp_tf.data.pipeline import evaluation_batches, training_batches
from nvp_tf.data.registry import load_dataset


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


def test_imagenet_of_both_sizes_in_one_data_dir(tmp_path):
    for side in (32, 64):
        (tmp_path / f"imagenet{side}").mkdir()
        write_imagenet_npz(tmp_path / f"imagenet{side}", noise(45, side, side), noise(6, side, side, seed=1))
    for side in (32, 64):
        check(f"imagenet{side}", tmp_path, noise(45, side, side), noise(6, side, side, seed=1))
