import numpy as np
import tensorflow as tf

from nvp_tf.config.schema import DataConfig
from nvp_tf.data import photos
from nvp_tf.data.pipeline import evaluation_batches, training_batches
from nvp_tf.data.registry import load_dataset


def test_no_pixel_is_in_two_splits(monkeypatch):
    """Each pixel of these photographs says where it is: (column mod 256, column / 256, photograph and row)."""
    photograph, row, column = np.indices((2, 427, 640))
    places = np.stack([column % 256, column // 256, photograph * 128 + row // 4], axis=-1).astype(np.uint8)
    monkeypatch.setattr(photos, "_photographs", lambda: places)
    data = load_dataset(DataConfig("photos"))
    train = np.concatenate([b["x"].numpy() for b in training_batches(data.train, 500, seed=1).take(10)])
    others = [next(iter(evaluation_batches(split, split.size))).numpy() for split in (data.valid, data.test)]
    columns = []
    for crops in (train, *others):
        place = crops.astype(int)
        x, (picture, y) = place[..., 0] + 256 * place[..., 1], np.divmod(place[..., 2], 128)
        assert (np.diff(x, axis=2) == 1).all() and (np.diff(x, axis=1) == 0).all()  # Whole windows,
        assert (np.ptp(picture, axis=(1, 2)) == 0).all()  # each of one photograph,
        assert (y[:, -1, 0] - y[:, 0, 0] >= 7).all()  # 32 rows high,
        assert y.min() == 0 and y.max() == 426 // 4  # from top to bottom,
        assert abs(picture.mean() - 0.5) < 0.05  # half of them from each photograph.
        columns.append(set(x.ravel()))
    assert sum(map(len, columns)) == len(set.union(*columns)) == 640
    assert len(columns[0]) == 0.7 * 640


def test_training_crops_are_fresh_and_depend_on_the_seed():
    split = load_dataset(DataConfig("photos")).train
    index = tf.zeros([300], tf.int64)
    seed = tf.stack([index, tf.range(300, dtype=tf.int64)], axis=1)
    crops = split.read(index, seed).numpy()
    assert len({crop.tobytes() for crop in crops}) > 290
    assert (crops[::-1] == split.read(index, seed[::-1]).numpy()).all()
