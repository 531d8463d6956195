"""Relative flatness of a layer (Petzka, Kamp, Adilova, Sminchisescu and Boley 2021)."""

from collections.abc import Callable

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.flatness.blocks import Block
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.estimate import Estimate, mean_of

_EXACT = 8  # inputs up to which all products are made


def relative_flatness(
    curvature: Curvature,
    names: list[str] | None = None,
    *,
    probes: int = 30,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> dict[str, Estimate]:
    """{kernel: kappa},  kappa = sum over s, s' of <w_s, w_s'> tr H_ss', w_s the weights of the kernel's output s.

    With the kernel K [m, outputs] (a convolution's flattened to its last axis) and H that of the kernel alone,
    kappa = sum_tj (e_t x k_j)' H (e_t x k_j) with k_j the rows of K: m^2 products; or the mean of (z a'K)' H (z a'K)
    over independent signs z, a [m]. H -> a^-2 H where K -> a K: unmoved by a factor for each layer.

    Args:
      names: of blocks of at least two axes; None for all of them.
      probes: products for each kernel of more than 8 inputs; the error is theirs. Smaller ones are exact.

    Raises:
      UserError: a name that is no kernel's.
    """
    kernels = {block.name: block for block in curvature.blocks if len(block.shape) > 1}
    for name in names or ():
        if name not in kernels:
            raise UserError(f"there is no kernel {name!r}, expected some of {', '.join(kernels)}")
    chosen = [kernels[name] for name in names or kernels]
    if say is not None:
        products = sum(probes if _inputs(block) > _EXACT else _inputs(block) ** 2 for block in chosen)
        say(f"relative flatness: {products} products, about {products * curvature.seconds:.2g} s")
    rng = np.random.default_rng(seed)
    return {block.name: _of_kernel(curvature, block, probes, rng) for block in chosen}


def _of_kernel(curvature: Curvature, block: Block, probes: int, rng: np.random.Generator) -> Estimate:
    inputs = _inputs(block)
    kernel = curvature.weights[block.slice].reshape(inputs, -1)

    def form(z: np.ndarray, a: np.ndarray) -> float:
        v = np.zeros(curvature.dim)
        v[block.slice] = np.outer(z, a @ kernel).reshape(-1)
        return float(v @ curvature.hessian(v))

    if inputs <= _EXACT:
        units = np.eye(inputs)
        return Estimate(sum(form(z, a) for z in units for a in units), 0.0)
    return mean_of([form(*rng.choice([-1.0, 1.0], (2, inputs))) for _ in range(max(probes, 2))])


def _inputs(block: Block) -> int:
    return block.size // block.shape[-1]
