"""What is usual at each pixel: the map that an explanation is held against."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.split import Split

Explain: TypeAlias = Callable[[tf.Tensor], ArrayLike]
_BATCH = 100
_ENOUGH = 1000  # images: the mean's standard error is 3 % of the deviation


def usual_bits(explain: Explain, split: Split, limit: int = _ENOUGH) -> np.ndarray:
    """The mean of `explain` (`Flow.explain`) over the first `limit` examples of a split: float32 [height, width] bits,
    of vectors [D]."""
    batches = [np.asarray(explain(x)) for x in evaluation_batches(split, _BATCH, limit)]
    return np.concatenate(batches).mean(axis=0, dtype=np.float64).astype(np.float32)
