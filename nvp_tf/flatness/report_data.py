"""What a report is of: a Keras file with arrays, or a run with its own training images."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from nvp_tf.data.registry import load_dataset
from nvp_tf.data.split import Split
from nvp_tf.errors import UserError, reason
from nvp_tf.flatness.clone import float64_clone
from nvp_tf.flatness.models import Subject, subject
from nvp_tf.runs.run_dir import RunDir

PAIRS = (  # of arrays in a file, as people name them; the first that is there is taken
    *(("x", "y"), ("x_train", "y_train"), ("train_images", "train_labels"), ("images", "labels"), ("x", "labels")),
    *(("inputs", "targets"), ("data", "target"), ("x_test", "y_test"), ("test_images", "test_labels")),
)


@dataclass(frozen=True)
class Source:
    """A model and data to measure it on.

    copy: gives another float64 model of the same layers and weights.
    x: the chosen examples.
    fingerprint: of weights and data.
    """

    subject: Subject
    copy: Callable[[], keras.Model]
    x: np.ndarray
    path: Path

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for value in [w.numpy() for w in self.subject.model.weights] + [self.x, _targets(self.subject)]:
            digest.update(np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()[:16]


def _targets(subject: Subject) -> np.ndarray:
    return np.concatenate([np.asarray(y) for _, y in subject.batches])


def of_file(
    model: str, data: str, examples: int, loss: str | None = None, seed: int = 0, batch_size: int = 128
) -> Source:
    """A .keras file with rows of an .npz file.

    Raises:
      UserError: a file that cannot be read, arrays of other names or lengths, no loss.
    """
    x, y, notes = read_arrays(data)
    chosen = choose(len(x), examples, seed)
    made = subject(model, x[chosen], y[chosen], loss=loss, batch_size=batch_size)
    made = Subject(made.model, made.loss, made.batches, made.name, (*notes, *made.notes))
    return Source(made, lambda: float64_clone(made.model), x[chosen], Path(model))


def of_run(run_dir: str, examples: int, seed: int = 0, data_dir: str | None = None, batch_size: int = 128) -> Source:
    """A run's best weights with examples of its training split. Raises UserError for a folder that is none."""
    run = RunDir(run_dir)
    split = load_dataset(run.config.data.at(data_dir), run.config.model.event.levels).train
    x = rows(split, choose(split.size, examples, seed))
    made = subject(run, x, batch_size=batch_size)
    return Source(made, lambda: run.load_flow(dtype="float64"), x, run.path)


def rows(split: Split, index: np.ndarray) -> np.ndarray:
    """Rows of a Split, each read as evaluation reads it: what is random about an example is the same each time."""
    return split.read(index, np.stack([np.zeros_like(index), index], axis=1)).numpy()


def choose(size: int, count: int, seed: int) -> np.ndarray:
    """`count` different rows of `size`, in order; all where there are no more.

    Raises:
      UserError: a count below 1.
    """
    if count < 1:
        raise UserError(f"examples is {count}, expected at least 1")
    return np.sort(np.random.default_rng(seed).permutation(size)[:count])


def read_arrays(file: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """(x, y, notes) of an .npz file, by the names that people give them.

    Raises:
      UserError: a file that cannot be read, or without arrays of such names and one length.
    """
    try:
        with np.load(file) as arrays:
            pair = next((pair for pair in PAIRS if set(pair) <= set(arrays)), None)
            if pair is None:
                wanted = ", or ".join(" and ".join(pair) for pair in PAIRS)
                raise UserError(f"{file} has the arrays {', '.join(arrays)}, expected {wanted}")
            x, y = (arrays[name] for name in pair)
    except UserError:
        raise
    except Exception as error:  # numpy and zipfile raise whatever the bytes make them
        raise UserError(f"{file} cannot be read as an .npz file: {reason(error)[:200]}") from None
    x_name, y_name = pair
    if not x.ndim or len(x) != len(y) or not len(x):
        raise UserError(f"{file}: {x_name} has shape {x.shape} and {y_name} {y.shape}, expected as many rows, and some")
    notes: tuple[str, ...] = (f"{x_name} and {y_name} of {Path(file).name}, {len(x)} rows",)
    if np.issubdtype(x.dtype, np.integer):
        notes += (f"{x_name} is {x.dtype}, {x.min()} to {x.max()}, given to the model as it is",)
    return x, y, notes
