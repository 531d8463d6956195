"""Published data sets, written to disk in their own formats."""

import pickle

import numpy as np
import scipy.io
from PIL import Image


def noise(n, height, width, channels=3, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (n, height, width, channels)).astype(np.uint8)


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
