"""LSUN (Yu et al. 2015): rooms, towers and churches, cropped at random as in the thesis."""

from pathlib import Path

import numpy as np
from PIL import Image

from nvp_tf.data.arrays import published_valid_size
from nvp_tf.data.pictures import list_pictures, picture_source, pixels, scaled
from nvp_tf.data.prepared import PreparedSplit
from nvp_tf.data.preparing import prepare
from nvp_tf.data.split import DataSet
from nvp_tf.data.tfds_images import builder_source, prepared_builder
from nvp_tf.errors import UserError

_SMALLER, _SIDE = 96, 64  # Pixels of the smaller side, and of a crop (thesis 5.4).


def lsun_bedroom(config):
    """64x64 crops of bedrooms."""
    return _load("bedroom", config.data_dir)


def lsun_tower(config):
    """64x64 crops of towers."""
    return _load("tower", config.data_dir)


def lsun_church_outdoor(config):
    """64x64 crops of churches seen from outside."""
    return _load("church_outdoor", config.data_dir)


def _load(category, data_dir):
    name = f"lsun_{category}"
    folder = data_dir and next(Path(data_dir).glob(f"**/{category}_train"), None)
    words = f"smaller side {_SMALLER}"
    if folder:
        held_out = folder.with_name(f"{category}_val")
        if not held_out.is_dir():
            raise UserError(f"{held_out} is missing, expected it beside {folder}")
        sources = [
            picture_source(part.name, part, list_pictures(part), words, _small, 3) for part in (folder, held_out)
        ]
    else:
        builder = prepared_builder(name, data_dir)
        sources = [
            builder_source(builder, split, words, lambda x: _small(Image.fromarray(x)))
            for split in ("train", "validation")
        ]
    train, test = (prepare(source) for source in sources)
    rows, valid = np.arange(train.size), published_valid_size(train.size)
    return DataSet(
        name=name,
        event_shape=(_SIDE, _SIDE, 3),
        levels=256,
        train=PreparedSplit(train, _SIDE, rows[:-valid]),
        valid=PreparedSplit(train, _SIDE, rows[-valid:]),
        test=PreparedSplit(test, _SIDE),
    )


def _small(picture):
    return pixels(scaled(picture, _SMALLER))
