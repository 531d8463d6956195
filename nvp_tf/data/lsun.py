"""LSUN (Yu et al. 2015): rooms, towers and churches, cropped at random as in the thesis."""

from PIL import Image

from nvp_tf.data.catalogue import beside, look
from nvp_tf.data.picture_source import picture_source
from nvp_tf.data.published import published_images
from nvp_tf.data.tfds_images import builder_source, prepared_builder
from nvp_tf.pictures.files import list_pictures, pixels, scaled

_SMALLER, _SIDE = 96, 64  # Pixels of the smaller side, and of a crop (thesis 5.4).
_WORDS = f"smaller side {_SMALLER}"


def lsun_bedroom(config):
    """64x64 crops of bedrooms; the published validation split is `test`, as in the thesis."""
    return _load("bedroom", config.data_dir)


def lsun_tower(config):
    """64x64 crops of towers; the published validation split is `test`, as in the thesis."""
    return _load("tower", config.data_dir)


def lsun_church_outdoor(config):
    """64x64 crops of churches seen from outside; the published validation split is `test`, as in the thesis."""
    return _load("church_outdoor", config.data_dir)


def _load(category, data_dir):
    """Scaled by bilinear interpolation with antialiasing: quicker than the authors' Gaussian, and about as smooth."""
    name = f"lsun_{category}"
    folder = look(data_dir, f"{category}_train")
    if folder:
        sources = [
            picture_source(f"lsun_{part.name}", part, list_pictures(part), _WORDS, _small, 3)
            for part in (folder, beside(folder, f"{category}_val"))
        ]
    else:
        builder = prepared_builder(name, data_dir)
        sources = [
            builder_source(builder, split, None, _WORDS, lambda image: _small(Image.fromarray(image)))
            for split in ("train", "validation")
        ]
    return published_images(name, *sources, window=(_SIDE, _SIDE))


def _small(picture):
    return pixels(scaled(picture, _SMALLER))
