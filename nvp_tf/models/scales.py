"""Which scale of a multi-scale flow a latent is of."""

import numpy as np
import tensorflow as tf

from nvp_tf.layers.base import Bijective
from nvp_tf.layers.chain import Chain, FactorOut
from nvp_tf.layers.squeeze import unsqueeze
from nvp_tf.models.flow import Flow


def left_at(flow: Flow) -> np.ndarray:
    """uint8 [D]: how many scales are factored out before each latent is: 0 for the finest, and where there is one."""
    shape, scales = flow.latent_shape, 1 + _factored(flow.bijector)
    if scales == 1:
        return np.zeros(flow.dimensions, np.uint8)
    return np.sum([kept(shape, level) for level in range(1, scales)], axis=0, dtype=np.uint8).ravel()


def kept(shape: tuple[int, ...], level: int) -> np.ndarray:
    """bool [height, width, channels]: which latents are left without those that the first `level` scales factored out.

    Latents have the image's shape at every depth: what goes on from a scale is the first half of its channels
    after the ordered squeeze, so that a scale's latents are found by undoing that squeeze `level` times.
    """
    height, width, channels = shape
    mask = tf.ones([1, height >> level, width >> level, channels << level])
    for _ in range(level):
        mask = unsqueeze(tf.concat([mask, tf.zeros_like(mask)], axis=-1), "ordered")
    return mask[0].numpy() > 0


def _factored(layer: Bijective) -> int:
    """How many scales a bijection factors out."""
    if isinstance(layer, FactorOut):
        return 1 + _factored(layer.inner)
    return sum(map(_factored, layer.layers)) if isinstance(layer, Chain) else 0
