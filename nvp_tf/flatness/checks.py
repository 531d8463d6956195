"""What `Curvature` looks at before it answers: the model, the data twice, one product against differences."""

import time
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.flatness.batches import Tensors
from nvp_tf.flatness.blame import TOLERANCE, blamed, relative_difference
from nvp_tf.flatness.blocks import blocks_of, by_layer
from nvp_tf.flatness.products import Products, random_layers

_AGREE = 1e-10  # of two walks: sums in another order, on several threads
_EXAMPLES = 32  # on which a product is held against differences: the fewer, the fewer kinks to cross


def check_model(model: keras.Model) -> None:
    """Raises UserError for a model without trainable weights, or with weights or layers that are not float64."""
    if not model.built:
        raise UserError(f"{model.name} is not built: it has no weights yet, call it on some data first")
    if not model.trainable_variables:
        raise UserError(f"{model.name} has no trainable weights: there is nothing for its loss to be flat in")
    for variable in model.trainable_variables:
        if tf.as_dtype(variable.dtype) != tf.float64:
            raise UserError(f"weight {variable.path} is {variable.dtype}, expected float64: open_model makes a copy")
        if not np.isfinite(variable.value.numpy()).all():
            raise UserError(f"weight {variable.path} has values that are NaN or infinite")
    for layer in model._flatten_layers():
        computes = not layer._layers and not isinstance(layer, keras.layers.InputLayer)
        if computes and layer.compute_dtype != "float64":
            raise UserError(
                f"layer {layer.name} computes in {layer.compute_dtype}, expected float64: open_model makes a copy"
            )


def first_batch(tensors: Tensors) -> tuple:
    """At most 32 examples of the first batch."""
    for x, y in tensors.checked():
        return tf.nest.map_structure(lambda value: value[:_EXAMPLES], (x, y))
    raise UserError("there is no batch of data, expected at least one example")


def check_twice(products: Products, tensors: Tensors, theta: tf.Tensor) -> int:
    """Walks the data twice, the first time with a look at every value; the number of examples.

    Raises:
      UserError: NaN in data or loss; random layers; loss or gradient that differ between the walks.
    """
    total, gradient, examples = _walk(products, tensors.checked(), theta)
    if products.drawing:
        raise UserError(
            f"the model draws random numbers as it is called, in {', '.join(random_layers(products.model))}: its loss "
            "is another each time, expected batch_norm='inference' or a model without them"
        )
    again, same, count = _walk(products, tensors, theta)
    size = max(float(np.linalg.norm(gradient)), float(np.linalg.norm(same)), 1e-300)
    apart = float(np.linalg.norm(gradient - same)) / size
    if count != examples:
        raise UserError(f"the data had {examples} examples when it was walked first and {count} the second time")
    if abs(total - again) > _AGREE * max(abs(total), abs(again)) or apart > _AGREE:
        raise UserError(
            f"walked twice, the data gave a loss of {total / examples:.8g} and {again / examples:.8g}, gradients "
            f"apart by {apart:.1g}: it is shuffled, or the model is random; expected the same each time"
        )
    return examples


def check_products(products: Products, batch: tuple, weights: np.ndarray) -> tuple[float, float]:
    """Holds H v against differences of gradients: (relative difference, seconds of a product on this batch).

    v, and the entries compared, are scaled layer by layer with the size of the weights, so that the answer is the same
    for a network and its rescaled twins.

    Raises:
      UserError: a difference above 1e-6; the layers to blame are named.
    """
    data = tf.nest.flatten(batch)
    scale = layer_scales(products.model, weights)
    v = scale * np.random.default_rng(0).standard_normal(len(weights))
    v *= 10 / np.sqrt(len(v))

    def gradient(step: float) -> np.ndarray:
        return scale * products.loss_and_gradient(tf.constant(weights + step * v), *data)[1].numpy()

    theta, direction = tf.constant(weights), tf.constant(v)
    product = products.hessian(theta, direction, *data).numpy()
    start = time.perf_counter()
    products.hessian(theta, direction, *data).numpy()
    seconds = time.perf_counter() - start
    difference = relative_difference(scale * product, gradient, floor=1e-4 * float(np.linalg.norm(gradient(0.0))))
    if not difference <= TOLERANCE:
        names = blamed(products.model, batch[0], products.training)
        raise UserError(
            f"the second derivatives of the model are wrong: H v is {difference:.2g} from differences of gradients, "
            f"expected at most {TOLERANCE:g}; to blame: {names}"
        )
    return difference, seconds


def layer_scales(model: keras.Model, weights: np.ndarray) -> np.ndarray:
    """[dim], for each weight the root mean square of its layer's; 1 for a layer of zeros."""
    scale = np.empty_like(weights)
    for blocks in by_layer(blocks_of(model)).values():
        size = np.sqrt(np.mean(np.square(weights[blocks[0].start : blocks[-1].stop])))
        for block in blocks:
            scale[block.slice] = size if size > 0 else 1.0
    return scale


def _walk(products: Products, batches: Iterable, theta: tf.Tensor) -> tuple[float, np.ndarray, int]:
    total, gradient, examples = 0.0, np.zeros(()), 0
    for number, (x, y) in enumerate(batches):
        try:
            loss, part = products.loss_and_gradient(theta, *tf.nest.flatten((x, y)))
        except tf.errors.InvalidArgumentError as error:  # such as a label that is no class
            raise UserError(f"batch {number}: {_said(error)}") from None
        if not np.isfinite(loss) or not np.isfinite(part).all():
            raise UserError(f"batch {number}: {_not_finite(products, theta, x, y)}")
        total, gradient, examples = total + float(loss), gradient + part.numpy(), examples + len(y)
    return total, gradient, examples


def _said(error: tf.errors.OpError) -> str:
    """What the op said, without where it stands in which file."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "[[{{" not in line]
    return lines[-1][:200]


def _not_finite(products: Products, theta: tf.Tensor, x: object, y: tf.Tensor) -> str:
    losses = products.losses(theta, *tf.nest.flatten((x, y))).numpy()
    wrong = np.flatnonzero(~np.isfinite(losses))
    if not len(wrong):
        return "the gradient has NaN or infinite values, though every loss is finite"
    outputs = products.outputs(theta, *tf.nest.flatten((x, y))).numpy()[wrong[0]]
    what = "its output is, too" if not np.isfinite(outputs).all() else f"its target is {y.numpy()[wrong[0]]}"
    return f"the loss of {len(wrong)} examples is NaN or infinite, the first is {wrong[0]}: {what}"
