"""LSUN (Yu et al. 2015): rooms, towers and churches, cropped at random as in the thesis."""

import numpy as np
from PIL import Image

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.catalogue import CATALOGUE, beside
from nvp_tf.data.picture_source import picture_source
from nvp_tf.data.published import published_images
from nvp_tf.data.split import DataSet
from nvp_tf.data.tfds_images import builder_source, prepared_builder
from nvp_tf.pictures.decoding import pixels, scaled
from nvp_tf.pictures.files import list_pictures

_SMALLER, _SIDE = 96, 64  # Pixels of the smaller side, and of a crop (thesis 5.4).
_WORDS = f"smaller side {_SMALLER}"


def lsun_bedroom(config: DataConfig) -> DataSet:
    """64x64 crops of bedrooms; the published validation split is `test`, as in the thesis."""
    return _load("lsun_bedroom", config.data_dir)


def lsun_tower(config: DataConfig) -> DataSet:
    """64x64 crops of towers; the published validation split is `test`, as in the thesis."""
    return _load("lsun_tower", config.data_dir)


def lsun_church_outdoor(config: DataConfig) -> DataSet:
    """64x64 crops of churches seen from outside; the published validation split is `test`, as in the thesis."""
    return _load("lsun_church_outdoor", config.data_dir)


def _load(name: str, data_dir: str | None) -> DataSet:
    """Scaled by bilinear interpolation with antialiasing: quicker than the authors' Gaussian, and about as smooth."""
    there = CATALOGUE[name].published(data_dir)
    if there is not None:
        layout, folder = there
        train, test = (
            picture_source(f"lsun_{part.name}", part, list_pictures(part), _WORDS, _small, 3)
            for part in (folder, beside(folder, layout.held_out[0]))
        )
    else:
        builder = prepared_builder(name, data_dir)
        train, test = (
            builder_source(builder, split, None, _WORDS, lambda image: _small(Image.fromarray(image)))
            for split in ("train", "validation")
        )
    return published_images(name, train, test, window=(_SIDE, _SIDE))


def _small(picture: Image.Image) -> np.ndarray:
    return pixels(scaled(picture, _SMALLER))
