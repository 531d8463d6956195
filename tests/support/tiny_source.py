"""A source without a run on disk: a tiny random flow and random images."""

from types import SimpleNamespace

import numpy as np
from cases import MODELS, randomize

from nvp_tf.config.schema import Config, DataConfig, TrainConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.models.build import build
from nvp_tf.runs import opened
from nvp_tf.runs.source import Source


def tiny_source(monkeypatch, name, spread=0.3, **kwargs):
    """A `Source` of the model `name` of tests/support/cases.py in float32; `spread` as in `randomize`."""
    model = MODELS[name].config
    run = SimpleNamespace(path="runs/tiny", config=Config(model, DataConfig("tiny"), TrainConfig()))
    monkeypatch.setattr(opened, "RunDir", lambda path: run)
    source = Source(run.path, **kwargs)
    source.flow = randomize(build(model), 1, spread)  # set, a cached property is not computed
    if model.pixels:
        shape, levels = model.event_shape, model.pixels.levels
        images = np.random.default_rng(5).integers(0, levels, (30, *shape), dtype=np.uint8)
        source.dataset = from_arrays(images, images, images, levels)
    return source
