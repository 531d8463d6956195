"""Data sets by name, and batches of them whose order and noise are functions of (seed, step)."""

from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.pipeline import evaluation_batches, training_batches, training_calls
from nvp_tf.data.registry import load, names
from nvp_tf.data.split import DataSet, Split

__all__ = [
    "DataSet",
    "Split",
    "evaluation_batches",
    "from_arrays",
    "load",
    "names",
    "training_batches",
    "training_calls",
]
