"""Data sets that scikit-learn makes or carries: always present, quick to load."""

from importlib.metadata import distribution

import numpy as np

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.split import ArraySplit, DataSet
from nvp_tf.event import Event


def two_moons(config: DataConfig) -> DataSet:
    """Two interleaved half circles in the plane, with Gaussian noise of deviation 0.1."""
    del config
    from sklearn.datasets import make_moons

    sizes = {"train": 10000, "valid": 2000, "test": 5000}
    splits = {
        part: ArraySplit(make_moons(size, noise=0.1, random_state=number)[0].astype(np.float32))
        for number, (part, size) in enumerate(sizes.items())
    }
    return DataSet(name="two_moons", event=Event((2,)), **splits)


def digits(config: DataConfig) -> DataSet:
    """1797 handwritten digits of 8x8 pixels with values 0 to 16: 1400 to train on, 100 and 297 held out."""
    del config
    # As `sklearn.datasets.load_digits` does, without all that scikit-learn imports: more than a second of any start.
    file = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    table = np.loadtxt(str(file), np.uint8, delimiter=",")
    images = table[:, :-1].reshape(-1, 8, 8, 1)
    # The file is sorted by writer: without the permutation, the splits would be of different hands.
    test, valid, train = np.split(images[np.random.RandomState(0).permutation(len(images))], [297, 397])
    return DataSet(
        name="digits",
        event=Event((8, 8, 1), 17),
        train=ArraySplit(train),
        valid=ArraySplit(valid),
        test=ArraySplit(test),
    )
