"""Every layer, network, prior and flow is its config and its weights: saved, cloned, copied and pickled to the bit."""

import copy
import inspect
import json
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import LAYERS, MODELS, NETWORKS, PRIORS, parts, randomize

from nvp_tf.models.build import build

CASES = LAYERS | NETWORKS | MODELS


def answers(layer, x):
    """All that it says of x, and of what it makes of x."""
    if isinstance(layer, keras.Model):
        x = x.astype(layer.event.dtype if layer.event.is_image else layer.compute_dtype)
        return [layer.log_prob(x), layer.encode(x), layer.sample(3, seed=4)]
    found = tf.nest.flatten(layer(x))
    return [*found, *layer.inverse(found[0])] if hasattr(layer, "inverse") else found


def as_json(layer):
    return json.dumps(keras.saving.serialize_keras_object(layer))


def assert_same(layer, other, x):
    assert type(other) is type(layer) and as_json(other) == as_json(layer)
    assert [part.built for part in parts(other)] == [part.built for part in parts(layer)]
    for a, b in zip(layer.weights, other.weights, strict=True):
        assert a is not b
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    for a, b in zip(answers(layer, x), answers(other, x), strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


@pytest.mark.parametrize("name", CASES)
def test_config(name):
    """It has all arguments, of parts too, is JSON, and makes the same with weights that are new."""
    layer, x = CASES[name].shared, CASES[name].inputs()
    for part in parts(layer):
        if type(part).__module__.startswith("nvp_tf."):
            arguments = inspect.signature(type(part).__init__).parameters.keys() - {"self", "kwargs"}
            assert arguments <= part.get_config().keys(), type(part)
            assert keras.saving.get_registered_name(type(part)) == f"nvp_tf>{type(part).__name__}"
    fresh = keras.saving.deserialize_keras_object(json.loads(as_json(layer)))
    if any(np.ptp(weight) for weight in layer.weights):
        assert any((a.numpy() != b.numpy()).any() for a, b in zip(layer.weights, fresh.weights, strict=True))
    fresh.set_weights(layer.get_weights())
    assert_same(layer, fresh, x)


@pytest.mark.parametrize("name", CASES)
def test_copies(name):
    layer, x = CASES[name].shared, CASES[name].inputs()
    assert_same(layer, copy.deepcopy(layer), x)
    assert_same(layer, pickle.loads(pickle.dumps(layer)), x)


@pytest.mark.parametrize("name", MODELS)
def test_flows(name, tmp_path):
    case = MODELS[name]
    flow, x = case.shared, case.inputs()
    flow.save(tmp_path / "flow.keras")
    assert_same(flow, keras.saving.load_model(tmp_path / "flow.keras"), x)
    clone = keras.models.clone_model(flow)
    clone.set_weights(flow.get_weights())
    assert_same(flow, clone, x)


@pytest.mark.parametrize("network_dtype", [None, "bfloat16"])
def test_as_it_was_compiled(network_dtype, tmp_path):
    """In float32: with its optimizer, that goes on where it stood."""
    flow = randomize(build(MODELS["realnvp_grey"].config, network_dtype=network_dtype), spread=0.3)
    flow.compile(keras.optimizers.Adam(0.002), l2=0.1, seed=7, steps_per_execution=2)
    x = np.random.default_rng(0).integers(0, 17, (8, 4, 4, 1), dtype=np.uint8)
    flow.fit(x, batch_size=4, verbose=0)
    flow.save(tmp_path / "flow.keras")
    loaded = keras.saving.load_model(tmp_path / "flow.keras")
    assert_same(flow, loaded, x)
    assert loaded.get_compile_config() == flow.get_compile_config()
    for model in (flow, loaded):
        model.fit(x, batch_size=4, shuffle=False, verbose=0)
    assert_same(flow, loaded, x)
    assert int(loaded.optimizer.iterations) == 4


@pytest.mark.parametrize("name", PRIORS)
def test_priors(name):
    prior = PRIORS[name]()
    other = keras.saving.deserialize_keras_object(json.loads(as_json(prior)))
    assert type(other) is type(prior) and as_json(other) == as_json(prior)
