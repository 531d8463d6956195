"""The loss along a line or over a plane through the weights, along directions that are random and may be normalized."""

from collections.abc import Callable, Sequence

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.flatness.blocks import Block
from nvp_tf.flatness.curvature import Curvature


def filter_normalized(direction: np.ndarray, weights: np.ndarray, blocks: Sequence[Block]) -> np.ndarray:
    """The direction with each filter as long as the weights' own; biases and normalization scales stay where they are.

        d_j <- d_j |w_j| / |d_j|,  j a filter: the entries of a kernel that make one output

    (Li, Xu, Taylor, Studer and Goldstein 2018). A slice along it is unmoved by a factor for each layer. It does move
    with a factor for each unit: the kernel after the unit takes the factor's inverse on some of a filter's entries.

    Args:
      direction, weights: [dim].

    Returns:
      [dim]; 0 in tensors of less than two axes.
    """
    normalized = np.zeros_like(direction)
    for block in blocks:
        if len(block.shape) < 2:
            continue
        d, w = (np.asarray(v)[block.slice].reshape(-1, block.shape[-1]) for v in (direction, weights))
        length = np.linalg.norm(d, axis=0)
        factor = np.divide(np.linalg.norm(w, axis=0), length, out=np.zeros_like(length), where=length > 0)
        normalized[block.slice] = (d * factor).reshape(-1)
    return normalized


def random_directions(curvature: Curvature, count: int = 2, *, normalized: bool = True, seed: int = 0) -> np.ndarray:
    """[dim, count] Gaussian directions: filter-normalized, or each of length 1."""
    draws = np.random.default_rng(seed).standard_normal((count, curvature.dim))
    if normalized:
        rows = [filter_normalized(row, curvature.weights, curvature.blocks) for row in draws]
    else:
        rows = [row / np.linalg.norm(row) for row in draws]
    return np.stack(rows, axis=1)


def slice_losses(
    curvature: Curvature,
    directions: np.ndarray,
    *,
    radius: float = 1.0,
    points: int = 21,
    say: Callable[[str], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(grid [points], losses [points] or [points, points]) at th + a d_1 (+ b d_2), a and b in [-radius, radius].

    Args:
      directions: [dim, 1] or [dim, 2]. losses[i, j] is at a = grid[i], b = grid[j].

    Raises:
      UserError: neither one direction nor two.
    """
    directions = np.asarray(directions)
    if directions.ndim != 2 or directions.shape[0] != curvature.dim or directions.shape[1] not in (1, 2):
        raise UserError(f"directions have shape {directions.shape}, expected ({curvature.dim}, 1) or (…, 2)")
    grid = np.linspace(-radius, radius, points)
    corners = np.stack(np.meshgrid(*[grid] * directions.shape[1], indexing="ij"), axis=-1)
    if say is not None:
        say(f"slice: the loss at {corners[..., 0].size} points")
    losses = [curvature.loss(curvature.weights + directions @ c) for c in corners.reshape(-1, directions.shape[1])]
    return grid, np.reshape(losses, corners.shape[:-1])
