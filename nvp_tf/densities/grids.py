"""A density in the plane, on a grid over the data."""

import numpy as np

from nvp_tf.data.split import DataSet
from nvp_tf.densities.contract import Density, examples

CELLS = 120
_MARGIN = 0.25  # of the data's extent, on each side


def plane(dataset: DataSet) -> tuple[np.ndarray, np.ndarray]:
    """The axes of the grid: float32 [CELLS] each, a quarter beyond the test data."""
    points = examples(dataset.test, 5000)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _MARGIN * (high - low)
    first, second = np.linspace(low - margin, high + margin, CELLS, dtype=np.float32).T
    return first, second


def on_a_grid(density: Density, dataset: DataSet) -> dict[str, np.ndarray]:
    """{"first", "second", "log_prob" [CELLS, CELLS]} of a density over 2-D vectors; {} for any other."""
    if density.domain.is_image or density.domain.dimensions != 2:
        return {}
    first, second = plane(dataset)
    points = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    return {"first": first, "second": second, "log_prob": density.log_prob(points).value.reshape(CELLS, CELLS)}
