"""What a new run takes from its training data before the first step: the mean and the deviation of each feature."""

from typing import Any

import numpy as np

from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.split import Split
from nvp_tf.errors import UserError
from nvp_tf.evaluation.evaluator import Wrap
from nvp_tf.models.flow import Flow


def fit_standardization(
    flow: Flow,
    split: Split,
    batch_size: int = 4096,
    wrap: Wrap = lambda batches: batches,
) -> dict[str, Any] | None:
    """Fits the flow's `Standardization`, where it has one, to a split, in one pass and float64.

    Args:
      flow, split, batch_size, wrap: as of `fit_whitening`.

    Returns:
      {"examples", "mean", "deviation", "log_det"}, to be kept with the run; None for a flow without it.

    Raises:
      UserError: a column that never varies.
    """
    layer = flow.standardization
    if layer is None:
        return None
    count, mean, squares = 0, np.zeros(flow.dimensions), np.zeros(flow.dimensions)
    low, high = np.full(flow.dimensions, np.inf), np.full(flow.dimensions, -np.inf)
    for x in wrap(evaluation_batches(split, batch_size)):
        rows = x.numpy().astype(np.float64)
        # Chan, Golub and LeVeque (1983): moments about each part's own mean, which does not cancel.
        n, part = len(rows), rows.mean(axis=0)
        squares += np.square(rows - part).sum(axis=0) + np.square(part - mean) * (count * n / (count + n))
        mean += (part - mean) * (n / (count + n))
        count += n
        low, high = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))
    deviation = np.sqrt(squares / count)
    if len(constant := np.flatnonzero(low == high)):
        raise UserError(f"column {constant[0]} never varies, expected columns that do")
    log_det = layer.fit(mean, deviation)
    return {"examples": count, "mean": mean.tolist(), "deviation": deviation.tolist(), "log_det": log_det}
