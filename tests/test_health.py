"""Each evaluation asks whether the flow is still a bijection, of the flow that a run is loaded as."""

import numpy as np
import pytest
from brief import brief, train
from cases import MODELS, randomize

from nvp_tf.config.schema import Config, DataConfig, ModelConfig, PixelsConfig, RealNVPConfig, TrainConfig
from nvp_tf.data.split import ArraySplit
from nvp_tf.models.build import build
from nvp_tf.training import health
from nvp_tf.training.divergence import Diverged, Divergence
from nvp_tf.training.health import Health


def measure(model, flow, network_dtype="float32"):
    """(Health, what it measures) on random data."""
    rng, shape = np.random.default_rng(0), (300, *model.event_shape)
    discrete = model.pixels is not None
    x = rng.integers(0, model.pixels.levels, shape) if discrete else rng.standard_normal(shape)
    config = Config(model, DataConfig("none"), TrainConfig(network_dtype=network_dtype))
    measured = Health(flow, config, ArraySplit(x.astype("uint8" if discrete else "float32")))
    return measured, measured.measure()


@pytest.mark.parametrize("name", ["nice_image", "vector_batch_norm", "vector_pixels", "realnvp_packed_colour"])
def test_a_flow_that_is_well(name):
    config = MODELS[name].config
    measured, found = measure(config, randomize(build(config), 1, 0.3))
    assert 0 < found["round_trip_error"] < 0.1 * measured.bounds["round_trip_error"]
    assert 0 <= found["log_det_error"] < 1e-4
    measured.check(found, 1)


@pytest.mark.parametrize("name", ["nice_image", "vector_batch_norm"])
def test_a_flow_that_is_not(name):
    config = MODELS[name].config
    flow = build(config)
    for weight in randomize(flow, 1, 0.3).weights:
        if weight.path.endswith(("scale", "kernel")):
            weight.assign(30 * weight)
    measured, found = measure(config, flow)
    with pytest.raises(Divergence, match=r"^step 7: the flow is no longer invertible: .* expected at most 0\.\d+$"):
        measured.check(found, 7)


def test_networks_in_bfloat16_are_measured_as_they_are_loaded(monkeypatch):
    monkeypatch.setattr(health, "EXAMPLES", 300)  # bfloat16 fails one in ten or fewer
    recipe = RealNVPConfig(scales=2, couplings=2, filters=8, blocks=1, checkerboard="packed")
    model = ModelConfig((8, 8, 3), recipe, PixelsConfig(alpha=5e-4))
    flow = randomize(build(model, network_dtype="bfloat16"), spread=1.0)
    measured, found = measure(model, flow, "bfloat16")
    assert found["round_trip_error"] < 0.01
    _, of_bfloat16 = measure(model, flow)
    assert of_bfloat16["round_trip_error"] > 0.05
    randomize(flow, seed=5)  # its weights are read anew
    assert measured.measure() != found


def test_training_keeps_it_and_ends_at_the_bound(tmp_path, monkeypatch):
    rows = train(brief(), tmp_path / "well").read_metrics()
    assert all(0 < row["round_trip_error"] < 1e-4 and 0 <= row["log_det_error"] < 1e-5 for row in rows)
    monkeypatch.setattr(health, "VECTOR_BOUND", 1e-12)
    said = r"diverged at step 2: the flow is no longer invertible: round_trip_error is .*, expected at most 1e-12"
    with pytest.raises(Diverged, match=said):
        train(brief("train.rollbacks=0"), tmp_path / "ill")
