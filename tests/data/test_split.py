import numpy as np
import tensorflow as tf

from nvp_tf.data.random_integers import _mix, random_integers
from nvp_tf.data.split import ArraySplit, Flipped


def seeds(n, first=0):
    return tf.stack([tf.fill([n], tf.constant(first, tf.int64)), tf.range(n, dtype=tf.int64)], axis=1)


def test_flips_depend_on_the_seed_alone():
    n = 400
    images = np.random.RandomState(0).randint(0, 256, (n, 3, 4, 2)).astype(np.uint8)
    split = Flipped(ArraySplit(images))
    index = tf.range(n, dtype=tf.int64)
    got = split.read(index, seeds(n)).numpy()
    kept, mirrored = [(got == expected).all(axis=(1, 2, 3)) for expected in (images, images[:, :, ::-1])]
    assert (kept ^ mirrored).all()
    assert 0.4 < mirrored.mean() < 0.6
    # In another batch, under other indices, the same seeds flip the same.
    again = split.read(tf.zeros(n, tf.int64), seeds(n)).numpy()
    assert ((again == images[0, :, ::-1]).all(axis=(1, 2, 3)) == mirrored).all()
    assert (split.read(index[7:9], seeds(n)[7:9]).numpy() == got[7:9]).all()


def test_random_integers_are_splitmix64_and_uniform_and_uncorrelated():
    # The first output of the published generator from state 0.
    assert int(_mix(tf.constant(0, tf.uint64))) == 0xE220A8397B1DCDAF
    n, bound = 100_000, 1000
    draws = {(s, f): random_integers(seeds(n, f), s, bound).numpy() for s in (1, 2) for f in (0, 1)}
    for x in draws.values():
        assert x.min() == 0 and x.max() == bound - 1
        counts = np.bincount(x, minlength=bound)
        chi2 = ((counts - n / bound) ** 2 / (n / bound)).sum()
        assert abs(chi2 - bound) < 5 * (2 * bound) ** 0.5
        assert all(abs(np.corrcoef(x[lag:], x[:-lag])[0, 1]) < 5 / n**0.5 for lag in (1, 2, 16, 256))
    between = np.corrcoef(list(draws.values())) - np.eye(4)
    assert np.abs(between).max() < 5 / n**0.5
