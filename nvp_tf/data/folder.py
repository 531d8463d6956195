"""A person's own directory of pictures: `--dataset=folder --data_dir=DIR`."""

import hashlib
import os
from pathlib import Path

import numpy as np
from PIL import Image

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.picture_source import picture_source
from nvp_tf.data.prepared import PreparedSplit
from nvp_tf.data.preparing import Source, prepare
from nvp_tf.data.split import PART_NAMES, DataSet
from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.pictures.decoding import Fit, centre, pixels, scaled, to_levels
from nvp_tf.pictures.files import Found, find_pictures

_HELD_OUT = 10  # One file in so many for each split that has no folder of its own.


def folder(config: DataConfig) -> DataSet:
    """Pictures of any kind and size, in subfolders too; what cannot be read is skipped and named, with what is beside.

    Depth and transparency go by `Fit`, as in scoring, and pixels are brought to `levels`. The smaller side is scaled to
    `resize`, and the example is the central square of `size` pixels or one at a random place. Subfolders `train` and
    `test` (or `valid`) are the splits, if they are there. Otherwise, and for a split that is still missing, one file in
    ten is held out, by a hash of its path: the same files each time, and a file that is added changes the part of
    hardly any other.

    Raises:
      UserError: no folder, or too few pictures that can be read.
    """
    if config.data_dir is None:
        raise UserError("folder needs a data_dir, expected the directory of your pictures")
    root = Path(config.data_dir)
    found = find_pictures(root)
    source = _source(config, root, found)
    images = prepare(source)
    parts = _parts(images.names())
    missing = [part for part, rows in parts.items() if not len(rows)]
    if missing:
        beside = f" ({found.passed})" if found.passed else ""
        raise UserError(
            f"{root} has {images.size} pictures that can be read and none for {', '.join(missing)}{beside}, "
            "expected at least 3 and one a split"
        )
    splits = {
        part: PreparedSplit(images, (config.size, config.size), rows, config.crops) for part, rows in parts.items()
    }
    event = Event((config.size, config.size, images.channels), config.levels)
    for name, why in images.skipped():
        found.passed.add(name, why)
    about = {"pictures": images.size} | found.passed.figures()
    return DataSet(name="folder", event=event, **splits, about=about)


def _source(config: DataConfig, root: Path, found: Found) -> Source:
    size, resize = config.size, config.resize or config.size
    kept = size if config.crop == "centre" else 0  # Of a central crop nothing else is ever read.

    def image(picture: Image.Image) -> np.ndarray:
        picture = scaled(picture, resize)
        return to_levels(pixels(centre(picture, kept) if kept else picture), config.levels)

    fit = Fit.of_words(config.background, config.deep_range)
    words = f"resize {resize}, centre {kept}, levels {config.levels}, {fit}"
    return picture_source("folder", root, found.files, words, image, 1 if config.grey else 3, fit, found.passed)


def _parts(names: list[str]) -> dict[str, np.ndarray]:
    """{split: int64 rows} of files by their names."""
    none = np.array([], np.int64)
    given = {part: _below(names, folders) for part, folders in PART_NAMES.items()}
    if not (len(given["train"]) and (len(given["valid"]) or len(given["test"]))):
        given = {"train": np.arange(len(names)), "valid": none, "test": none}
    elif not len(given["test"]):
        given |= {"test": given["valid"], "valid": none}
    missing = [part for part in ("test", "valid") if not len(given[part])]
    train = given["train"]
    each = max(1, len(train) // _HELD_OUT)
    ranked = sorted(train, key=lambda row: _hash(names[row]))
    for i, part in enumerate(missing):
        given[part] = np.sort(ranked[i * each : (i + 1) * each])
    return given | {"train": np.sort(ranked[len(missing) * each :])}


def _below(names: list[str], folders: tuple[str, ...]) -> np.ndarray:
    return np.array([row for row, name in enumerate(names) if name.split(os.sep)[0] in folders], np.int64)


def _hash(name: str) -> bytes:
    return hashlib.sha256(os.fsencode(name)).digest()
