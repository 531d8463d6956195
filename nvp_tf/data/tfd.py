"""The Toronto Face Database (Susskind et al. 2010), from its .mat file."""

import numpy as np

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.catalogue import CATALOGUE, missing
from nvp_tf.data.mat import read_mat
from nvp_tf.data.published import published_arrays
from nvp_tf.data.split import DataSet
from nvp_tf.errors import UserError

# Values in the first of the five columns of `folds`, as read by pylearn2/datasets/tfd.py, in which NICE was written.
_UNLABELED, _VALID, _TEST = 0, 2, 3


def tfd(config: DataConfig) -> DataSet:
    """48x48 grey; the unlabeled images train, as in the thesis, the first fold's valid and test are held out."""
    there = CATALOGUE["tfd"].published(config.data_dir)
    if there is None:
        raise missing("tfd", config.data_dir)
    _, file = there
    images, folds = read_mat(file, "images"), read_mat(file, "folds")
    if images.ndim != 3 or images.shape[1:] != (48, 48) or images.dtype != np.uint8:
        raise UserError(f"{file} has images of {images.dtype} {images.shape}, expected uint8 (n, 48, 48)")
    if folds.ndim != 2 or len(folds) != len(images):
        raise UserError(f"{file} has folds of shape {folds.shape}, expected ({len(images)}, 5)")
    train, valid, test = (images[folds[:, 0] == which][..., None] for which in (_UNLABELED, _VALID, _TEST))
    for part, array in (("unlabeled", train), ("valid", valid), ("test", test)):
        if not len(array):
            raise UserError(f"{file} has no {part} images in its first fold")
    return published_arrays("tfd", train, test, valid)
