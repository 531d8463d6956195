"""Runs of seconds in this process: a few steps on a few vectors."""

import numpy as np

import nvp_tf
from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.event import Event
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.training import train as training
from nvp_tf.training.distributed.strategies import make_strategy

# Of three dimensions: no picture of them is drawn at each evaluation.
VECTORS = from_arrays(np.random.RandomState(0).randn(100, 3).astype(np.float32))


def brief(*keys):
    """A config of six steps with three evaluations, of vectors as they are, and with `keys`."""
    wanted = ("steps=6", "evaluate_every=2", "batch_size=16", "ema_decay=0.5")
    few = ("model.flow.couplings=2", "model.flow.hidden_layers=1", *(f"train.{key}" for key in wanted), *keys)
    config = nvp_tf.preset("realnvp_two_moons", *few).for_data(DataConfig("vectors"), Event((3,)))
    return config.override(["model.standardization=null"])


def train(config, folder, data=VECTORS, strategy=None):
    """The run that `training.train` made of it; without a strategy, on one device."""
    training.train(config, data, folder, strategy or make_strategy("none"), progress=False)
    return RunDir(folder)


def assert_same_files(run, other):
    """Two runs' weights to the bit, and metrics to the byte."""
    assert (run.path / "metrics.csv").read_bytes() == (other.path / "metrics.csv").read_bytes()
    for which in ("best", "last"):
        pairs = zip(*(r.load_flow(which).get_weights() for r in (run, other)), strict=True)
        assert all(a.tobytes() == b.tobytes() for a, b in pairs), which
