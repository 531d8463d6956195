"""How the eigenvalues of a matrix are spread, by stochastic Lanczos quadrature.

For a unit vector z of random direction, E[z' f(A) z] = (1/n) sum_i f(lambda_i), and z' f(A) z is the integral of f
under the eigenvalues of Lanczos' T, each weighted with the square of its vector's first entry (Golub and Meurant 1994;
Ghorbani, Krishnan and Xiao 2019).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh_tridiagonal

from nvp_tf.errors import UserError
from nvp_tf.flatness.estimate import Estimate, mean_of
from nvp_tf.flatness.lanczos import tridiagonal
from nvp_tf.flatness.operators import Operator


@dataclass(frozen=True)
class SpectralDensity:
    """The share of the eigenvalues that lies where: one discrete measure of mass 1 a probe.

    nodes, weights: a list of [m] arrays each, one of a probe; its weights sum to 1.
    products: how many it took.
    """

    nodes: list[np.ndarray]
    weights: list[np.ndarray]
    products: int

    def mass(self, low: float, high: float) -> Estimate:
        """The share of the eigenvalues in [low, high), with the error of the probes."""
        return self.mean(lambda nodes: ((nodes >= low) & (nodes < high)).astype(float))

    def mean(self, function: Callable[[np.ndarray], np.ndarray]) -> Estimate:
        """(1/n) sum_i f(lambda_i), with the error of the probes; of f(x) = x it is tr A / n."""
        return mean_of([w @ function(x) for x, w in zip(self.nodes, self.weights, strict=True)])

    def grid(self, points: int = 500, width: float = 0.0) -> np.ndarray:
        """[points] that cover all nodes and six widths to either side."""
        low, high = min(map(np.min, self.nodes)), max(map(np.max, self.nodes))
        width = width or self.width()
        return np.linspace(low - 6 * width, high + 6 * width, points)

    def width(self) -> float:
        """A width of the Gaussians that a picture of 500 points can show: 1/80 of the range."""
        low, high = min(map(np.min, self.nodes)), max(map(np.max, self.nodes))
        return max((high - low) / 80, 1e-12 * max(abs(low), abs(high)), 1e-300)

    def density(self, grid: np.ndarray, width: float = 0.0) -> np.ndarray:
        """[points], the density with each eigenvalue a Gaussian of that width; integrates to 1 over a fine `grid`."""
        width = width or self.width()
        total = np.zeros_like(grid)
        for nodes, weights in zip(self.nodes, self.weights, strict=True):
            total += np.exp(-0.5 * np.square((grid[:, None] - nodes) / width)) @ weights
        return total / (len(self.nodes) * width * np.sqrt(2 * np.pi))


def stochastic_lanczos(
    operator: Operator,
    *,
    steps: int = 80,
    probes: int = 4,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> SpectralDensity:
    """The density of an operator's eigenvalues, by `steps` x `probes` products.

    Args:
      steps: of Lanczos; its basis, steps x dim x 8 bytes, is kept while one probe is worked on.
      probes: random vectors; their spread is the error.

    Raises:
      UserError: no step, no probe.
    """
    if steps < 1 or probes < 1:
        raise UserError(f"steps is {steps} and probes {probes}, expected at least 1 of each")
    if say is not None:
        products, size = probes * min(steps, operator.dim), min(steps, operator.dim) * operator.dim * 8e-6
        say(
            f"spectral density of {operator.name}: {products} products, about {products * operator.seconds:.2g} s, "
            f"a basis of {size:.4g} MB"
        )
    rng = np.random.default_rng(seed)
    nodes, weights = [], []
    for _ in range(probes):
        diagonal, off = tridiagonal(operator, rng.standard_normal(operator.dim), steps)
        values, vectors = eigh_tridiagonal(diagonal, off)
        nodes.append(values)
        weights.append(np.square(vectors[0]))
    return SpectralDensity(nodes, weights, sum(map(len, nodes)))
