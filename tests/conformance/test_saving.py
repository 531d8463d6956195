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

from nvp_tf.config.schema import ModelConfig, VectorRealNVPConfig
from nvp_tf.models.build import build


def answers(layer, x):
    """What it says of x, and back where there is a way back."""
    if isinstance(layer, keras.Model):
        return [layer.log_prob(x.astype(layer.event.dtype if layer.event.is_image else layer.compute_dtype))]
    found = tf.nest.flatten(layer(x))
    return [*found, *layer.inverse(found[0])] if hasattr(layer, "inverse") else found


def assert_same_answers(layer, other, x):
    for a, b in zip(answers(layer, x), answers(other, x), strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


def as_json(layer):
    return json.dumps(keras.saving.serialize_keras_object(layer))


def assert_same(layer, other):
    assert type(other) is type(layer) and as_json(other) == as_json(layer)
    assert all(part.built for part in parts(other))
    for a, b in zip(layer.weights, other.weights, strict=True):
        assert a is not b and a.numpy().tobytes() == b.numpy().tobytes(), a.path


def assert_registered(layer):
    """Each part has all of its arguments in its config, under a name that Keras finds it by."""
    for part in parts(layer):
        if type(part).__module__.startswith("nvp_tf."):
            arguments = inspect.signature(type(part).__init__).parameters.keys() - {"self", "kwargs"}
            assert arguments <= part.get_config().keys(), type(part)
            assert keras.saving.get_registered_name(type(part)) == f"nvp_tf>{type(part).__name__}"


@pytest.mark.parametrize("name", LAYERS | NETWORKS)
def test_layers(name):
    layer, x = (LAYERS | NETWORKS)[name].shared, (LAYERS | NETWORKS)[name].inputs()
    assert_registered(layer)
    assert_same(layer, copy.deepcopy(layer))
    assert_same(layer, pickle.loads(pickle.dumps(layer)))
    fresh = keras.saving.deserialize_keras_object(json.loads(as_json(layer)))
    assert_new_weights(layer, fresh)
    fresh.set_weights(layer.get_weights())
    assert_same_answers(layer, fresh, x)


@pytest.mark.parametrize("name", MODELS)
def test_flows(name, tmp_path):
    flow = MODELS[name].shared
    assert_registered(flow)
    assert_same(flow, copy.deepcopy(flow))
    assert_same(flow, pickle.loads(pickle.dumps(flow)))
    flow.save(tmp_path / "flow.keras")
    loaded = keras.saving.load_model(tmp_path / "flow.keras")
    assert_same(flow, loaded)
    assert_same_answers(flow, loaded, MODELS[name].inputs())
    clone = keras.models.clone_model(flow)
    assert_new_weights(flow, clone)
    clone.set_weights(flow.get_weights())
    assert_same(flow, clone)


def assert_new_weights(layer, other):
    pairs = zip(layer.weights, other.weights, strict=True)
    assert not any((a.numpy() == b.numpy()).all() for a, b in pairs)


def test_networks_in_bfloat16():
    flow = build(MODELS["realnvp_one_scale"].config, network_dtype="bfloat16")
    assert_same(flow, pickle.loads(pickle.dumps(flow)))


def test_as_it_was_compiled(tmp_path):
    """With its optimizer, which goes on where it stood."""
    flow = randomize(build(ModelConfig((2,), VectorRealNVPConfig(1, 1, 4, batch_norm=True))))
    flow.compile(keras.optimizers.Adam(0.002), l2=0.1, seed=7)
    x = np.random.default_rng(0).standard_normal((8, 2))
    flow.fit(x, batch_size=4, verbose=0)
    flow.save(tmp_path / "flow.keras")
    loaded = keras.saving.load_model(tmp_path / "flow.keras")
    assert loaded.get_compile_config() == flow.get_compile_config()
    for model in (flow, loaded):
        model.fit(x, batch_size=4, shuffle=False, verbose=0)
        assert int(model.optimizer.iterations) == 4
    assert_same(flow, loaded)


@pytest.mark.parametrize("name", PRIORS)
def test_priors(name):
    prior = PRIORS[name]()
    other = keras.saving.deserialize_keras_object(json.loads(as_json(prior)))
    assert type(other) is type(prior) and as_json(other) == as_json(prior)
