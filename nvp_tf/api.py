"""The package in Python: a run, a person's own arrays or a Flow in, and a Flow or its figures out.

What is heavy is imported where it is used: `load` does not wait for the training loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nvp_tf.config.presets.registry import get_preset
from nvp_tf.config.schema import Config, DataConfig

if TYPE_CHECKING:
    from pathlib import Path

    from nvp_tf.data.split import DataSet
    from nvp_tf.evaluation.reference import Reference
    from nvp_tf.models.flow import Flow


def preset(name: str, *assignments: str) -> Config:
    """The config of a preset, with changes such as "train.steps=1000".

    Raises:
      UserError: an unknown preset or key, or a value out of range.
    """
    return get_preset(name).config.override(assignments)


def load(run_dir: str | Path, weights: str = "best") -> Flow:
    """The Flow of a run, with its "best" or "last" weights.

    Raises:
      UserError: a folder that is missing, not a run, half-written or corrupt.
    """
    from nvp_tf.runs.run_dir import RunDir

    return RunDir(run_dir).load_flow(weights)


def train(config: Config, data: object, run_dir: str | Path, progress: bool = True) -> Flow:
    """Trains on a person's own data, and gives the Flow with the best validation score.

    Args:
      config: such as `preset("realnvp_digits")`; it takes on the data's shape and levels.
      data: integer images [n, height, width, channels] or [n, height, width], or float vectors [n, dimensions], of
        which a tenth each is held out: a numpy array or what becomes one, a tensor, a tf.data.Dataset that ends, a
        DataFrame of numbers, or (images, labels), of which the labels are left. Or such in parts:
        ((x_train, y_train), (x_test, y_test)), a mapping as an .npz file has them, or what `from_arrays` gives.
        Images have the config's levels if all values are below, or else 256.
      run_dir: the run's folder; the same call again goes on where it stopped. Commands that need the data of such
        a run take it as `--data_dir=FILE`, the same arrays as `numpy.savez` writes them.
      progress: whether to tell of steps on stderr, and not of evaluations alone.

    Raises:
      UserError: data that the model is not for, or a folder of another run.
    """
    from nvp_tf.data.arrays import data_set
    from nvp_tf.runs.run_dir import RunDir
    from nvp_tf.training.choices import set_threads
    from nvp_tf.training.train import train as train_run

    set_threads(config, RunDir(run_dir))
    dataset = data_set(data, config.model.event.levels)
    config = config.for_data(DataConfig(dataset.name), dataset.event)
    train_run(config, dataset, run_dir, progress=progress)
    return load(run_dir)


def evaluate(flow: Flow, data: object, split: str = "test", noise_samples: int = 1, limit: int | None = None) -> dict:
    """Scores held-out data, as `nvp_tf evaluate` does a run's.

    Args:
      flow: a `Flow`, however it was trained.
      data: what `train` takes. An array is held out as a whole; of several parts, or a data set (`from_arrays`),
        `split` is scored.
      split: "train", "valid" or "test", of a data set.
      noise_samples: draws of dequantization noise for each image.
      limit: only the first so many examples.

    Returns:
      The figures: bits_per_dim (None for vectors), standard_error, bits_per_dim_importance_weighted, log_prob in
      nats, examples, noise_samples, images_per_second (`Evaluator.evaluate`).

    Raises:
      UserError: data that the flow is not for; another split.
    """
    from nvp_tf.errors import UserError
    from nvp_tf.evaluation.evaluator import Evaluator

    if split not in ("train", "valid", "test"):
        raise UserError(f"split is {split!r}, expected one of train, valid, test")
    return Evaluator(flow).evaluate(getattr(_dataset(flow, data), split), noise_samples, limit)


def reference(flow: Flow, data: object) -> Reference:
    """What an export's `score` holds an example against, for a Flow in Python.

        known = nvp_tf.reference(flow, data)
        known.ranks(images, flow.log_prob(images))["foreign"]  # and "percentile", "typicality"

    Args:
      flow: a `Flow`, however it was trained.
      data: training and held-out examples, as `train` takes them: `foreign` is fitted on the ones and calibrated on
        the others. Of one array of held-out examples every other one is taken for each.

    Raises:
      UserError: data that the flow is not for.
    """
    from nvp_tf.evaluation.evaluator import reference_of

    return reference_of(flow, _dataset(flow, data))


def export(flow: Flow, data: object, folder: str | Path, examples: int = 1000, tflite: bool = True) -> dict:
    """Writes folder/<version>, a SavedModel that has been held against the flow, as `nvp_tf export` does for a run.

    Args:
      flow: a `Flow`, however it was trained.
      data: held-out examples, or several parts, as `evaluate` takes them; of a data set the export is checked on the
        test split, and a score is held against valid and train split (`reference`).
      folder: the model's; earlier versions in it stay.
      examples: on how many of them the export is checked.
      tflite: whether to write files for phones, too.

    Returns:
      What is in export.json, and path: the new version's folder.

    Raises:
      UserError: data that the flow is not for; an answer that is not the flow's.
    """
    from nvp_tf.exporting.export import export_with

    return export_with(flow, _dataset(flow, data), folder, examples, tflite=tflite)


def _dataset(flow: Flow, data: object) -> DataSet:
    """Raises UserError for data whose examples are not the flow's."""
    from nvp_tf.data.arrays import held_out
    from nvp_tf.data.split import DataSet
    from nvp_tf.errors import UserError

    dataset = data if isinstance(data, DataSet) else held_out(data, flow.event.levels)
    if dataset.event != flow.event:
        hint = flow.event.hint(dataset.event.shape)
        raise UserError(f"{dataset.name} has examples of {dataset.event}, expected {flow.event} as the flow has{hint}")
    return dataset
