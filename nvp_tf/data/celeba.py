"""CelebA (Liu et al. 2015), aligned: the central 148x148 of each face, at 64x64."""

import re
from pathlib import Path

import numpy as np

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.catalogue import CATALOGUE
from nvp_tf.data.picture_source import picture_source
from nvp_tf.data.published import published_images
from nvp_tf.data.split import DataSet
from nvp_tf.data.tfds_images import builder_source, prepared_builder
from nvp_tf.errors import UserError

_MIDDLE = slice(40, 188), slice(15, 163)  # Rows and columns of 218x178 (the authors' real_nvp_multiscale_dataset.py).
_SPLITS = ("train", "validation", "test")  # 0, 1, 2 in the list of the published partition.
_WORDS = "middle 148x148 to 64x64, bilinear without antialiasing, rounded"


def celeba(config: DataConfig) -> DataSet:
    """64x64 colour faces, in the published partition.

    Scaled as in the authors' code, by TensorFlow 1's bilinear interpolation, which does not smooth first: smoother
    faces would score better. Then rounded to integers, unlike there: noise added to values that are none gives no
    bound on the probability of an image.
    """
    there = CATALOGUE["celeba"].published(config.data_dir)
    if there is not None:
        layout, folder = there
        inner = folder / layout.train[0]  # as some archives are unpacked
        folder = inner if inner.is_dir() else folder
        train, valid, test = (
            picture_source(f"celeba-{split}", folder, files, _WORDS, lambda picture: _face(np.asarray(picture)), 3)
            for split, files in _partition(folder, layout.held_out).items()
        )
    else:
        builder = prepared_builder("celeba", config.data_dir)
        train, valid, test = (builder_source(builder, split, None, _WORDS, _face) for split in _SPLITS)
    return published_images("celeba", train, test, valid)


def _face(image: np.ndarray) -> np.ndarray:
    """uint8 [64, 64, 3] of an aligned face, uint8 [218, 178, 3]."""
    if image.shape != (218, 178, 3):
        raise UserError(f"has {image.shape[1]}x{image.shape[0]} pixels, expected 178x218, aligned and cropped")
    middle = image[_MIDDLE].astype(np.float32)
    places = np.arange(64, dtype=np.float32) * np.float32(148 / 64)  # Never within a pixel of the far edge.
    low = places.astype(int)
    share = places - low
    rows = middle[low] + (middle[low + 1] - middle[low]) * share[:, None, None]
    return np.rint(rows[:, low] + (rows[:, low + 1] - rows[:, low]) * share[:, None]).astype(np.uint8)


def _partition(folder: Path, lists: tuple[str, ...]) -> dict[str, list[str]]:
    """{split: file names} by the list beside the folder of images, in it, or one above."""
    places = [parent / name for parent in (folder.parent, folder.parent.parent, folder) for name in lists]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise UserError(f"{folder.parent} lacks {lists[0]}, expected it beside {folder.name}")
    lines = file.read_text(errors="replace").split("\n")
    pairs = [re.split(r"[,\s]+", line.strip()) for line in lines if line.strip()]
    pairs = pairs[1:] if pairs and pairs[0] == ["image_id", "partition"] else pairs
    if any(len(pair) != 2 or pair[1] not in ("0", "1", "2") or Path(pair[0]).name != pair[0] for pair in pairs):
        raise UserError(f"{file} has other lines, expected a file name and 0, 1 or 2 in each")
    found = {split: [name for name, part in pairs if part == str(k)] for k, split in enumerate(_SPLITS)}
    for split, names in found.items():
        if not names:
            raise UserError(f"{file} names no {split} images, expected some of each part")
    return found
