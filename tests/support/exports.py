"""Exports of a grey, a colour and a vector model, small and with random weights, made once a session."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
from cases import randomize

from nvp_tf.config.schema import DataConfig, ModelConfig, PixelsConfig, RealNVPConfig, VectorRealNVPConfig
from nvp_tf.data.registry import load_dataset
from nvp_tf.exporting.export import Reference, Signatures
from nvp_tf.models.build import build

REAL_NVP = RealNVPConfig(scales=1, couplings=1, filters=3, blocks=1)
MODELS = {
    "grey": ModelConfig((8, 8, 1), REAL_NVP, PixelsConfig(17)),
    "colour": ModelConfig((4, 4, 3), REAL_NVP, PixelsConfig(256)),
    "vector": ModelConfig((2,), VectorRealNVPConfig(couplings=2, hidden_units=8, batch_norm=True)),
}


@functools.cache
def saved_models():
    """{name: (flow, x, the SavedModel's folder)}; x: real digits and moons, and noise for the colours."""
    folder, made = Path(tempfile.mkdtemp(prefix="nvp_tf-")), {}
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, config in MODELS.items():
        flow = build(config)
        randomize(flow, spread=0.3)
        if name == "colour":
            x = np.random.RandomState(0).randint(0, 256, (300, 4, 4, 3)).astype(np.uint8)
        else:
            x = load_dataset(DataConfig({"grey": "digits", "vector": "two_moons"}[name])).test._array.numpy()[:300]
        Signatures(flow, Reference(flow.log_prob(x[100:]).numpy())).save(folder / name / "1")
        made[name] = flow, x, folder / name / "1"
    return made
