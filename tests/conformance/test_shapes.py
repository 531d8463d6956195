"""Any batch in one trace, rows that do not know each other, and errors that say what was expected."""

import re

import numpy as np
import pytest
import tensorflow as tf
from cases import BIJECTORS, MODELS, NETWORKS, has_convolutions

from nvp_tf.errors import UserError


def forward(layer):
    return layer.forward if hasattr(layer, "forward") else layer


def directions(layer, x):
    """(function, its argument): both directions of a bijector, the one of a network."""
    found = [(forward(layer), x)]
    return [*found, (layer.inverse, layer.forward(x)[0].numpy())] if hasattr(layer, "inverse") else found


def traced(function, shape, traces):
    """function as a graph of any batch, its results in a list; `traces` grows by one a trace."""

    def flat(value):
        traces.append(value.shape)
        return tf.nest.flatten(function(value))

    return tf.function(flat, input_signature=[tf.TensorSpec([None, *shape], "float64")], autograph=False)


@pytest.mark.parametrize("name", BIJECTORS | NETWORKS)
def test_one_trace_and_independent_rows(name):
    case = (BIJECTORS | NETWORKS)[name]
    layer, x = case.shared, case.inputs(3)
    for function, value in directions(layer, x):
        traces = []
        graph = traced(function, value.shape[1:], traces)
        whole = graph(value)
        assert all(part.shape[0] == 3 for part in whole)
        for i in range(3):
            for together, alone in zip(whole, graph(value[i : i + 1]), strict=True):
                np.testing.assert_allclose(alone[0], together[i], rtol=1e-12, atol=1e-12)
        if not has_convolutions(layer):  # oneDNN's conv2d of an empty batch is broken in TF 2.21
            assert all(part.shape[0] == 0 for part in graph(value[:0]))
        assert traces == [(None, *value.shape[1:])]


@pytest.mark.parametrize("name", BIJECTORS)
def test_wrong_shape_and_dtype(name):
    case = BIJECTORS[name]
    layer, x = case.shared, case.inputs(2)
    for function, value in directions(layer, x):
        shape = re.escape("(n, " + ", ".join(map(str, value.shape[1:])) + ")")
        for wrong in (np.concatenate([value, value], axis=-1), value[0], value[..., None]):
            with pytest.raises(ValueError, match=f"shape is .*, expected {shape}"):
                function(wrong)
        with pytest.raises(ValueError, match="dtype is float32, expected float64"):
            function(value.astype("float32"))


def test_not_built():
    for case in BIJECTORS.values():
        fresh = type(case.shared).from_config(case.shared.get_config())
        for function in (fresh.forward, fresh.inverse):
            with pytest.raises(ValueError, match="not built, call build"):
                function(np.zeros((1, 2)))


@pytest.mark.parametrize("name", MODELS)
def test_model_errors(name):
    case = MODELS[name]
    flow = case.shared
    x = case.inputs(2).astype("float64" if flow.pixels is None else "uint8")
    shape = re.escape("(n, " + ", ".join(map(str, case.event_shape)) + ")")
    for function in (flow.log_prob, flow.encode):
        with pytest.raises(UserError, match=f"expected {shape}"):
            function(x[0])
        with pytest.raises(UserError, match="dtype"):
            function(x.astype("int32" if flow.pixels is None else "float32"))
    with pytest.raises(UserError, match=re.escape(f"expected (n, {flow.dimensions})")):
        flow.decode(np.zeros((2, flow.dimensions + 1)))


@pytest.mark.parametrize("name", MODELS)
def test_an_empty_batch_has_an_empty_answer(name):
    flow = MODELS[name].shared
    x = MODELS[name].inputs(3).astype("float64" if flow.pixels is None else "uint8")
    log_prob, none = (
        tf.function(flow.log_prob, input_signature=[tf.TensorSpec([None, *x.shape[1:]], x.dtype)], autograph=False),
        x[:0],
    )
    for scores in (flow.log_prob(none), flow.log_prob(none, np.zeros(none.shape)), log_prob(none)):
        assert scores.shape == (0,)
    assert flow.encode(none).shape == (0, flow.dimensions)
    assert flow.decode(np.zeros((0, flow.dimensions))).shape == flow.sample(0).shape == (0, *flow.event_shape)
    np.testing.assert_allclose(log_prob(x), flow.log_prob(x), rtol=1e-12)


@pytest.mark.parametrize("name", ["nice_image", "realnvp_grey", "realnvp_colour"])
def test_values_that_the_data_does_not_have(name):
    """They have probability 0, in whatever integer type they come, and do not touch their neighbours' scores."""
    flow, levels = MODELS[name].shared, MODELS[name].config.pixels.levels
    x = np.ones((4, *flow.event_shape), "int64")
    expected = flow.log_prob(x.astype("uint8")).numpy()
    x[1, 0, 0, 0], x[3, 0, 0, 0] = -1, levels
    expected[[1, 3]] = -np.inf
    np.testing.assert_allclose(flow.log_prob(x), expected, rtol=1e-12)
    np.testing.assert_allclose(flow.log_prob(x[:3].astype("int8")), expected[:3], rtol=1e-12)
    np.testing.assert_array_equal(flow.decode(flow.encode(x)), np.clip(x, 0, levels - 1))
