"""CelebA (Liu et al. 2015), aligned: the central 148x148 of each face, at 64x64."""

from pathlib import Path

import numpy as np
from PIL import Image

from nvp_tf.data.pictures import picture_source, pixels
from nvp_tf.data.prepared import PreparedSplit
from nvp_tf.data.preparing import prepare
from nvp_tf.data.split import DataSet
from nvp_tf.data.tfds_images import builder_source, prepared_builder
from nvp_tf.errors import UserError

_SIDE = 64
_BOX = (15, 40, 163, 188)  # left, upper, right, lower: of the authors' code for 178x218
_SPLITS = ("train", "validation", "test")  # 0, 1, 2 in the list of the published partition
_WORDS = f"{_BOX} at {_SIDE}, bilinear"


def celeba(config):
    """64x64 colour faces, in the published partition; brought to size by integers, before noise is added.

    The authors' code adds noise to unrounded values, which is no bound on the probability of any integers.
    """
    folder = config.data_dir and next(Path(config.data_dir).glob("**/img_align_celeba"), None)
    if folder:
        folder = next((inner for inner in folder.glob("img_align_celeba") if inner.is_dir()), folder)
        sources = [
            picture_source(f"celeba-{split}", folder, paths, _WORDS, _face, 3)
            for split, paths in _partition(folder).items()
        ]
    else:
        builder = prepared_builder("celeba", config.data_dir)
        sources = [builder_source(builder, split, _WORDS, lambda x: _face(Image.fromarray(x))) for split in _SPLITS]
    parts = [PreparedSplit(prepare(source), _SIDE) for source in sources]
    return DataSet("celeba", (_SIDE, _SIDE, 3), 256, *parts)


def _face(picture):
    """uint8 [64, 64, 3] of an aligned face."""
    if picture.size != (178, 218):
        raise UserError(f"has {picture.size[0]}x{picture.size[1]} pixels, expected 178x218, aligned and cropped")
    return pixels(picture.crop(_BOX).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))


def _partition(folder):
    """{split: file names} by list_eval_partition.txt, beside the folder of images or one above."""
    name = "list_eval_partition.txt"
    file = next((f for f in (folder.parent / name, folder.parent.parent / name, folder / name) if f.is_file()), None)
    if file is None:
        raise UserError(f"{folder.parent} lacks {name}, expected it beside {folder.name}")
    try:
        lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
        numbers = np.array([int(number) for _, number in lines])
    except (ValueError, UnicodeDecodeError):
        raise UserError(f"{file} has other lines, expected a file name and 0, 1 or 2 in each") from None
    found = {split: [lines[i][0] for i in np.flatnonzero(numbers == k)] for k, split in enumerate(_SPLITS)}
    for split, paths in found.items():
        if not paths or not (folder / paths[0]).is_file():
            raise UserError(f"{folder} has no {split} images of {file}, expected those that it names")
    return found
