"""What a new run takes from its training data before the first step: the moments that whitening needs."""

import numpy as np
import tensorflow as tf

from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.split import Split
from nvp_tf.evaluation.evaluator import Wrap
from nvp_tf.layers.whitening import Whitening
from nvp_tf.models.flow import Flow


def fit_whitening(
    flow: Flow,
    split: Split,
    batch_size: int = 500,
    wrap: Wrap = lambda batches: batches,
) -> dict[str, float] | None:
    """Fits the flow's `Whitening`, where it has one, to a split; one pass over it, a batch in memory at a time.

    Examples are dequantized with noise of their own, since the noise's variance is part of what is whitened.

    Args:
      flow: a `Flow`.
      split: a `Split`, the training one.
      batch_size: examples a batch.
      wrap: gives the batches one by one, as tqdm does.

    Returns:
      {"epsilon", "examples", "log_det"}, to be kept with the run; None for a flow without whitening.
    """
    layers = flow.bijector.layers
    place = next((i for i, layer in enumerate(layers) if isinstance(layer, Whitening)), None)
    if place is None:
        return None

    def vectors(x: tf.Tensor, number: int) -> np.ndarray:
        x = flow.to_reals(x, tf.random.stateless_uniform(tf.shape(x), [flow.NOISE_SEED, number]))
        for layer in layers[:place]:
            x, _ = layer.forward(x)
        return x.numpy().astype(np.float64)

    (size,) = layers[place].event_shape
    count, total, products, shift = 0, np.zeros(size), np.zeros((size, size)), np.zeros(size)
    for number, x in enumerate(wrap(evaluation_batches(split, batch_size))):
        x = vectors(x, number)
        # Moments about a point near the mean: about 0 they would cancel.
        shift = shift if count else x.mean(axis=0)
        x -= shift
        count, total = count + len(x), total + x.sum(axis=0)
        products += x.T @ x
    mean = total / count
    epsilon, log_det = layers[place].fit(mean + shift, products / count - np.outer(mean, mean))
    return {"epsilon": epsilon, "examples": count, "log_det": log_det}
