"""Exports of a grey, a colour and a vector model, small and with random weights, made once a session."""

import functools

import numpy as np
from cases import randomize
from held_out import reference
from shared import made_once

from nvp_tf.config.schema import DataConfig, ModelConfig, PixelsConfig, RealNVPConfig, VectorRealNVPConfig
from nvp_tf.data.registry import load_dataset
from nvp_tf.exporting.export import Signatures
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
    flows, data, made = {}, {}, {}
    for name, config in MODELS.items():
        flows[name] = randomize(build(config), spread=0.3)
        if name == "colour":
            x = np.random.RandomState(0).randint(0, 256, (300, 4, 4, 3)).astype(np.uint8)
        else:
            x = load_dataset(DataConfig({"grey": "digits", "vector": "two_moons"}[name])).test._array.numpy()[:300]
        data[name] = x

    def make(folder):
        for name, flow in flows.items():
            held_out = data[name][100:]
            found = reference(flow.event, held_out, flow.log_prob(held_out).numpy())
            Signatures(flow, found).save(folder / name / "1")

    folder = made_once("exports", make)
    for name, flow in flows.items():
        made[name] = flow, data[name], folder / name / "1"
    return made
