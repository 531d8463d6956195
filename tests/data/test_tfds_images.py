import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.registry import load_dataset
from nvp_tf.data.tfds_images import builder_source, find_builder
from nvp_tf.errors import UserError

TRAIN, HELD_OUT = 60, 7


def image(split, i, config):
    height = 6 + (i % 2 if config == "sizes" else 0)
    return np.random.RandomState(100 * len(split) + i).randint(0, 256, (height, 4, 3)).astype(np.uint8)


class TinyImages(tfds.core.GeneratorBasedBuilder):
    """Noise images; the configs are what a data set may be like."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name=name) for name in ("test", "validation", "sizes", "train_only")
    ]

    def _info(self):
        features = {"image": tfds.features.Image(shape=(None, None, 3)), "label": np.int64}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        config = self.builder_config.name
        held_out = {"train_only": [], "test": ["validation", "test"], "sizes": ["test"]}.get(config, [config])
        return {s: self._generate_examples(s, TRAIN if s == "train" else HELD_OUT) for s in ["train", *held_out]}

    def _generate_examples(self, split, size):
        for i in range(size):
            yield i, {"image": image(split, i, self.builder_config.name), "label": i}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Real data sets on disk, as download_and_prepare leaves them."""
    root = str(tmp_path_factory.mktemp("tfds"))
    for config in TinyImages.BUILDER_CONFIGS:
        TinyImages(data_dir=root, config=config.name).download_and_prepare()
    return root


@pytest.mark.parametrize("held_out", ["test", "validation"])
def test_splits_of_a_prepared_data_set(data_dir, held_out):
    data = load_dataset(DataConfig(f"tiny_images/{held_out}", data_dir=data_dir))
    assert (data.event.shape, data.event.levels) == ((6, 4, 3), 256)
    splits = [data.train, data.valid, data.test]
    train, valid, test = [{x.tobytes() for b in evaluation_batches(s, 8) for x in b.numpy()} for s in splits]
    assert [len(train), len(valid), len(test)] == [TRAIN - 3, 3, HELD_OUT]
    assert train | valid == {image("train", i, held_out).tobytes() for i in range(TRAIN)}
    assert test == {image(held_out, i, held_out).tobytes() for i in range(HELD_OUT)}


def test_an_interrupted_preparation_goes_on_with_the_same_images(data_dir):
    builder = find_builder("tiny_images/test", data_dir)
    items = builder_source(builder, "train", (6, 4, 3)).items
    whole = list(items(0))
    for (name, one), (again, other) in zip(whole[23:], items(23), strict=True):
        assert name == again and (one == other).all()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("sizes", r"has images of \([67], 4, 3\) and \([67], 4, 3\), expected one size"),
        ("train_only", "has splits train, expected images in validation"),
        ("missing", "'tiny_images/missing' cannot be used: .*missing not found"),
    ],
)
def test_unfit_data_sets(data_dir, config, message):
    with pytest.raises(UserError, match=message) as caught:
        load_dataset(DataConfig(f"tiny_images/{config}", data_dir=data_dir))
    assert "\n" not in str(caught.value)


def test_a_damaged_file(data_dir, tmp_path):
    root = shutil.copytree(data_dir, tmp_path / "copy")
    (shard,) = Path(root, "tiny_images", "test").rglob("*-train.tfrecord-*")
    shard.write_bytes(shard.read_bytes()[:-5])
    with pytest.raises(UserError, match=r"is damaged: .*expected to read train") as caught:
        load_dataset(DataConfig("tiny_images/test", data_dir=str(root)))
    assert "\n" not in str(caught.value)
