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
from nvp_tf.data.split import DataSet
from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.pictures.files import centre, list_pictures, pixels, scaled

_SPLIT_FOLDERS = {"train": ("train",), "valid": ("valid", "val", "validation"), "test": ("test",)}
_HELD_OUT = 10  # One file in so many for each split that has no folder of its own.


def folder(config: DataConfig) -> DataSet:
    """PNG, JPEG, WebP and BMP files of any size, in subfolders too; what cannot be read is skipped and named.

    The smaller side is scaled to `resize`, and the example is the central square of `size` pixels or one
    at a random place. Subfolders `train` and `test` (or `valid`) are the splits, if they are there.
    Otherwise, and for a split that is still missing, one file in ten is held out, by a hash of its path:
    the same files each time, and a file that is added changes the part of hardly any other.

    Raises:
      UserError: no folder, or too few pictures that can be read.
    """
    if config.data_dir is None:
        raise UserError("folder needs a data_dir, expected the directory of your pictures")
    root = Path(config.data_dir)
    paths = list_pictures(root)
    source = _source(config, root, paths)
    images = prepare(source)
    parts = _parts(images.names())
    missing = [part for part, rows in parts.items() if not len(rows)]
    if missing:
        raise UserError(
            f"{root} has {images.size} pictures that can be read and none for {', '.join(missing)}, "
            "expected at least 3 and one a split"
        )
    splits = {
        part: PreparedSplit(images, (config.size, config.size), rows, config.crops) for part, rows in parts.items()
    }
    return DataSet(name="folder", event=Event((config.size, config.size, images.channels), 256), **splits)


def _source(config: DataConfig, root: Path, paths: list[str]) -> Source:
    size, resize = config.size, config.resize or config.size
    kept = size if config.crop == "centre" else 0  # Of a central crop nothing else is ever read.

    def image(picture: Image.Image) -> np.ndarray:
        picture = scaled(picture, resize)
        return pixels(centre(picture, kept) if kept else picture)

    return picture_source("folder", root, paths, f"resize {resize}, centre {kept}", image, 1 if config.grey else 3)


def _parts(names: list[str]) -> dict[str, np.ndarray]:
    """{split: int64 rows} of files by their names."""
    none = np.array([], np.int64)
    given = {part: _below(names, folders) for part, folders in _SPLIT_FOLDERS.items()}
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
