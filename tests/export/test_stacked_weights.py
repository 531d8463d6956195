"""Weights as exports keep them: stacked in few tensors, whole or in half precision."""

import numpy as np
import pytest
import tensorflow as tf

from nvp_tf.exporting import weights
from nvp_tf.exporting.half import in_half_precision
from nvp_tf.layers.fixed_networks import FixedConv2D
from nvp_tf.layers.keras_private import all_layers
from nvp_tf.models.fixed_flow import fixed
from nvp_tf.models.flow import Flow


def kernels(flow):
    """Of its convolutions."""
    return [layer.kernel.numpy() for layer in all_layers(flow) if isinstance(layer, FixedConv2D)]


def test_kernels_of_float16_are_kept_whole_in_half_the_size(saved, monkeypatch):
    flow, x, _ = saved["grey"]
    halves = in_half_precision(flow)
    whole = fixed(flow)
    for before, after in zip(kernels(whole), kernels(halves), strict=True):
        np.testing.assert_array_equal(after, after.astype(np.float16))  # what LiteRT keeps of it is what there is
        np.testing.assert_allclose(before, after, rtol=2**-8, atol=1e-6)
    monkeypatch.setattr(weights, "_LARGE", 64)
    stacks, exact = weights.StackedWeights(halves.variables), weights.StackedWeights(whole.variables)
    assert {stack.dtype for stack in exact.stacked} == {tf.float32}
    assert sum(stack.shape.num_elements() for stack in stacks.stacked if stack.dtype == tf.float16) == sum(
        kernel.size for kernel in kernels(halves) if kernel.size >= 64
    )
    live = halves.log_prob(x).numpy()
    halves.set_weights(whole.get_weights())
    with stacks.in_place():
        np.testing.assert_allclose(Flow.log_prob(halves, x), live, atol=5e-5)
    assert 2e-4 < np.abs(live - flow.log_prob(x)).max() < 1


@pytest.mark.parametrize("most", [2**24, 20])
def test_what_is_stacked_takes_the_place_of_the_weights(most, saved, monkeypatch):
    flow, x, _ = saved["vector"]
    monkeypatch.setattr(weights, "_MOST_VALUES", most)
    stacks = weights.StackedWeights(flow.variables)
    shapes = {tuple(variable.shape) for variable in flow.variables}
    assert len(shapes) == len(stacks.stacked) if most > 20 else len(shapes) < len(stacks.stacked) < len(flow.variables)
    live = flow.log_prob(x).numpy()
    for stack in stacks.stacked:
        stack.assign(2 * stack)
    with stacks.in_place():
        other = flow.log_prob(x).numpy()
    assert np.abs(other - live).max() > 0.1
    for stack in stacks.stacked:
        stack.assign(stack / 2)
    with stacks.in_place():
        np.testing.assert_allclose(flow.log_prob(x), live, atol=1e-5)
