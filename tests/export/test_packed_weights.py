"""Weights as .tflite files keep them: packed in few tensors, whole or in half precision."""

import numpy as np

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
    packed, exact = weights.PackedWeights(halves.variables), weights.PackedWeights(whole.variables)
    assert [[v.dtype.name for v in p.packed] for p in (packed, exact)] == [["float32", "float16"], ["float32"]]
    live = halves.log_prob(x).numpy()
    halves.set_weights(whole.get_weights())
    with packed.in_place():
        np.testing.assert_allclose(Flow.log_prob(halves, x), live, atol=5e-5)
    assert 2e-4 < np.abs(live - flow.log_prob(x)).max() < 1


def test_weights_of_large_models_are_packed_in_parts(saved, monkeypatch):
    flow, x, _ = saved["vector"]
    monkeypatch.setattr(weights, "_MOST_ROWS", 8)
    packed = weights.PackedWeights(flow.variables)
    assert 1 < len(packed.packed) < len(flow.variables)
    live = flow.log_prob(x).numpy()
    for variable in packed.packed:
        variable.assign(2 * variable)
    with packed.in_place():
        other = flow.log_prob(x).numpy()
    assert np.abs(other - live).max() > 0.1
    for variable in packed.packed:
        variable.assign(variable / 2)
    with packed.in_place():
        np.testing.assert_allclose(flow.log_prob(x), live, atol=1e-5)
