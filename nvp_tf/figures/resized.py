"""A flow for images of another size, with the same weights."""

import dataclasses
import functools

import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.layers.keras_private import all_layers
from nvp_tf.layers.network_norm import BatchNorm
from nvp_tf.layers.statistics import moments
from nvp_tf.models.build import build
from nvp_tf.models.flow import Flow
from nvp_tf.runs.source import Source, Unfit


def resized(source: Source, height: int, width: int, figure: str) -> Flow:
    """The run's flow for [height, width] images: convolutions and statistics per channel fit any size.

    Latents of a multi-scale flow have the image's shape, so a larger image has more of the same latents.

    Args:
      source: a multi-scale run.
      figure: the name that an error begins with.

    Raises:
      Unfit: a size that the scales cannot halve, or a flow with weights of the image's size.
    """
    model, flow = source.config.model, source.flow
    try:
        model = dataclasses.replace(model, event_shape=(height, width, model.event_shape[-1]))
    except UserError as error:
        raise Unfit(f"{figure} of {height}x{width} images: {error}") from None
    larger = build(model)
    for mine, theirs in zip(flow.weights, larger.weights, strict=True):
        # Such as a last scale of 7x7, which cannot be packed, where that of 14x14 is.
        if mine.shape != theirs.shape:
            raise Unfit(
                f"{figure} of {height}x{width} images: the weight {mine.path} has shape {tuple(mine.shape)}, "
                f"expected {tuple(theirs.shape)} at that size"
            )
    larger.set_weights(flow.get_weights())
    return larger


def with_own_statistics(flow: Flow) -> Flow:
    """The flow, its networks normalized by the statistics of the very images they see, as in training.

    The flow's own batch normalization keeps the running ones. What it decodes is then no exact inverse.
    """
    for part in all_layers(flow):
        if isinstance(part, BatchNorm):
            part.call = functools.partial(_normalized, part)  # type: ignore[method-assign]  # of this copy alone
    return flow


def _normalized(norm: BatchNorm, x: tf.Tensor, training: bool = False) -> tf.Tensor:
    return norm.normalize(x, *moments(x))
