"""Deep rectified networks of definition 3 at an exact minimum: their targets are what they say themselves."""

from dataclasses import dataclass

import keras
import numpy as np

from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.losses import loss_of
from nvp_tf.flatness.operators import hessian
from nvp_tf.flatness.rescaling import Rescaling


@dataclass(frozen=True)
class Rectified:
    """A network without biases, its data and its curvature, in float64.

    sizes: of input, hidden layers, output.
    curvature: of the mean squared error.
    """

    sizes: tuple[int, ...]
    model: keras.Model
    x: np.ndarray
    curvature: Curvature

    @property
    def rescaling(self) -> Rescaling:
        return Rescaling(self.model)

    @property
    def starts(self) -> list[int]:
        """Where each theta_k begins in the vector of all weights, and the end."""
        counts = [a * b for a, b in zip(self.sizes[:-1], self.sizes[1:], strict=True)]
        return [0, *np.cumsum(counts).tolist()]

    def scale(self, *alphas: float) -> np.ndarray:
        """Each weight's factor under T(theta_k) = a_k theta_k, [n]."""
        return np.concatenate([m.ravel() for m in self.rescaling.multipliers(self.rescaling.of_layers(alphas))])

    def outputs(self, thetas: np.ndarray) -> np.ndarray:
        """Of many weights [m, n] at once, without TensorFlow: [m, examples, outputs]."""
        h = np.broadcast_to(self.x, (len(thetas), *self.x.shape))
        shapes = list(zip(self.sizes[:-1], self.sizes[1:], strict=True))
        for k, (shape, start) in enumerate(zip(shapes, self.starts[:-1], strict=True)):
            h = h @ thetas[:, start : start + shape[0] * shape[1]].reshape(-1, *shape)
            h = h if k == len(shapes) - 1 else np.maximum(h, 0)
        return h

    def hessian_at(self, theta: np.ndarray) -> np.ndarray:
        """[n, n], its columns by products."""
        return hessian(self.curvature, at=theta).dense()


def rectified(*sizes: int, examples: int = 100, seed: int = 0, minimum: bool = True) -> Rectified:
    """A random network of these sizes.

    Args:
      examples: inputs, standard normal.
      minimum: whether the targets are the network's own outputs (loss 0, gradient 0, a Hessian that is the
        Gauss-Newton matrix), or noise.
    """
    rng = np.random.default_rng(seed)
    f64 = {"dtype": "float64", "use_bias": False}
    layers = [keras.layers.Dense(size, activation="relu", **f64) for size in sizes[1:-1]]
    model = keras.Sequential([keras.Input(sizes[:1], dtype="float64"), *layers, keras.layers.Dense(sizes[-1], **f64)])
    model.set_weights([rng.standard_normal(w.shape) / np.sqrt(w.shape[0]) * 1.4 for w in model.weights])
    x = rng.standard_normal((examples, sizes[0]))
    y = model(x).numpy() if minimum else rng.standard_normal((examples, sizes[-1]))
    return Rectified(sizes, model, x, Curvature(model, loss_of("mean_squared_error"), [(x, y)]))
