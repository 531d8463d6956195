"""A flow whose kernels are float16 numbers: files of half the size then hold it exactly."""

import keras
import numpy as np

from nvp_tf.layers.fixed_networks import FixedConv2D
from nvp_tf.layers.keras_private import all_layers
from nvp_tf.models.fixed_flow import fixed
from nvp_tf.models.flow import Flow


def in_half_precision(flow: Flow) -> Flow:
    """A fixed copy (`fixed`) with every kernel of its networks rounded to float16; all else, and what is computed
    in, stays float32. It is a density as exact as the flow, of other weights."""
    rounded = fixed(flow)
    for layer in all_layers(rounded):
        if isinstance(layer, FixedConv2D | keras.layers.Dense):
            layer.kernel.assign(layer.kernel.numpy().astype(np.float16))
    return rounded
