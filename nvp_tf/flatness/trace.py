"""The trace of a matrix that is known by its products, of all of it and block by block, with its error.

tr A = E[z' A z] for z of independent signs (Hutchinson 1990). Hutch++ (Meyer, Musco, Musco and Woodruff 2021) takes
what a sketch of A's range has exactly, and draws for the rest.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.flatness.estimate import Estimate, mean_of
from nvp_tf.flatness.operators import Operator


@dataclass(frozen=True)
class Trace:
    """Hutchinson's estimate, of the whole and of the diagonal blocks by the same products.

    estimate: of tr A.
    blocks: {block's name: of the trace of that diagonal block}, {} where the operator has no blocks.
    """

    estimate: Estimate
    blocks: dict[str, Estimate]
    products: int

    def of(self, names: Iterable[str]) -> Estimate:
        """Of a sum of blocks, such as those of one layer; its error takes in that they share their probes."""
        return mean_of(np.sum([self.blocks[name].samples for name in names], axis=0))


def hutchinson(
    operator: Operator, probes: int = 99, *, seed: int = 0, say: Callable[[str], None] | None = None
) -> Trace:
    """tr A = E[z' A z], by `probes` products; the error is that of their mean.

    Raises:
      UserError: less than two probes: one tells nothing of its error.
    """
    _check(probes, 2, "probes")
    _say(say, f"Hutchinson's trace of {operator.name}", operator, probes)
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(probes):
        z = _signs(rng, operator.dim)
        products = z * operator.product(z)
        values.append([products.sum(), *(products[block.slice].sum() for block in operator.blocks)])
    whole, *blocks = np.transpose(values)
    names = [block.name for block in operator.blocks]
    return Trace(mean_of(whole), {name: mean_of(row) for name, row in zip(names, blocks, strict=True)}, probes)


def hutch_plus_plus(
    operator: Operator, products: int = 99, *, seed: int = 0, say: Callable[[str], None] | None = None
) -> Estimate:
    """tr A = tr Q' A Q + tr (I - QQ') A (I - QQ'), Q an orthonormal basis of A S with random signs S [dim, products/3].

    The first part is exact; the second is Hutchinson's with as many probes, and so is the error. Where the basis spans
    everything, nothing is left to draw.

    Raises:
      UserError: less than 6 products.
    """
    _check(products, 6, "products")
    third = products // 3
    rng = np.random.default_rng(seed)
    size = f"a basis of {8 * operator.dim * min(third, operator.dim) / 1e6:.3g} MB"
    _say(say, f"Hutch++ trace of {operator.name}, {size}", operator, products)
    sketch = np.stack([operator.product(_signs(rng, operator.dim)) for _ in range(min(third, operator.dim))], axis=1)
    basis = np.linalg.qr(sketch)[0]
    exact = sum(float(q @ operator.product(q)) for q in basis.T)
    if basis.shape[1] == operator.dim:
        return Estimate(exact, 0.0)
    rest = []
    for _ in range(products - 2 * basis.shape[1]):
        z = _signs(rng, operator.dim)
        z -= basis @ (basis.T @ z)
        rest.append(float(z @ operator.product(z)))
    return mean_of(rest, exact)


def _signs(rng: np.random.Generator, dim: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], dim)


def _check(count: int, least: int, what: str) -> None:
    if count < least:
        raise UserError(f"{what} is {count}, expected at least {least}")


def _say(say: Callable[[str], None] | None, what: str, operator: Operator, products: int) -> None:
    if say is not None:
        say(f"{what}: {products} products, about {products * operator.seconds:.2g} s")
