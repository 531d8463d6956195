"""What a change of the weights that leaves the function alone does not move: losses, margins, gradients in the input.

And the Fisher-Rao norm, which a rescaling of the weights does not move. Unmoved is not predictive: adaptive sharpness
"does not correlate well with generalization but rather with some training parameters" (Andriushchenko et al. 2023).
"""

import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.estimate import Estimate, mean_of, root_of
from nvp_tf.models.flow import Flow


def fisher_rao(curvature: Curvature, kind: str | None = None) -> Estimate:
    """sqrt(th' F th) = sqrt(E_x,y [(th . g)^2]) (Liang et al. 2019); its error is that of N examples.

    Unmoved by every positive rescaling of layers or units: th . g is the derivative along all weights growing together.

    Args:
      kind: of the Fisher matrix; None for "model" where the loss is a likelihood, else "empirical".
    """
    if kind is None:
        kind = "model" if curvature.loss_function.is_likelihood else "empirical"
    return root_of(mean_of(curvature.forms(curvature.weights, kind)))


def margins(curvature: Curvature) -> np.ndarray:
    """[N], of each example the logit of its class less the largest other; for one logit, what speaks for its label.

    Raises:
      UserError: a loss that is no cross-entropy of classes.
    """
    kind, outputs = curvature.loss_function.kind, curvature.outputs()
    targets = curvature.targets()
    if kind == "softmax":
        outputs = outputs.reshape(-1, outputs.shape[-1])
        one_hot = targets.ndim == curvature.outputs().ndim and targets.shape[-1] == outputs.shape[-1] > 1
        labels = targets.argmax(axis=-1).reshape(-1) if one_hot else targets.reshape(-1).astype(int)
        rows = np.arange(len(labels))
        own = outputs[rows, labels]
        others = outputs.copy()
        others[rows, labels] = -np.inf
        return own - others.max(axis=1)
    if kind == "sigmoid":
        sign = 2 * targets.reshape(outputs.shape) - 1
        return (sign * outputs).reshape(len(outputs), -1).min(axis=1)
    raise UserError(f"{curvature.loss_function.name} has no classes: margins are of a cross-entropy of logits")


def input_gradient_norm(curvature: Curvature) -> Estimate:
    """E |d loss_i / d x_i|_2 over the examples; of a flow on images, in the dequantized pixel values.

    Raises:
      UserError: inputs that are integers, such as words, or batch statistics, by which the examples share a gradient.
    """
    if curvature.batch_norm == "training":
        raise UserError("an example's gradient is of inference, expected batch_norm='inference'")
    norms = _flow_norms if isinstance(curvature.model, Flow) else _norms
    return mean_of(np.concatenate([norms(curvature, x, y) for x, y in curvature.batches]))


def _norms(curvature: Curvature, x: object, y: tf.Tensor) -> np.ndarray:
    parts = tf.nest.flatten(x)
    if not all(part.dtype.is_floating for part in parts):
        raise UserError(f"inputs are {parts[0].dtype.name}: a loss has no gradient in them")
    return _lengths(curvature.products.input_gradient(tf.constant(curvature.weights), *parts, y))


def _flow_norms(curvature: Curvature, x: tf.Tensor, y: tf.Tensor) -> np.ndarray:
    del y
    flow = curvature.model
    v = tf.cast(x, tf.float64)
    if flow.pixels is not None:
        v = flow.pixels.dequantize(v, flow.noise_pattern())
    return _lengths([_flow_gradient(flow, v)])


@tf.function(autograph=False)
def _flow_gradient(flow: Flow, v: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        tape.watch(v)
        z, log_det = flow.bijector.forward(v)
        total = tf.reduce_sum(flow.prior.log_prob(z) + log_det)
    return tape.gradient(total, v)


def _lengths(gradients: list[tf.Tensor]) -> np.ndarray:
    rows = [gradient.numpy().reshape(gradient.shape[0], -1) for gradient in gradients]
    return np.linalg.norm(np.concatenate(rows, axis=1), axis=1)
