"""A run opened with its data: where every command but training begins."""

import dataclasses
import functools

from nvp_tf.config.schema import Config
from nvp_tf.data.registry import load_dataset
from nvp_tf.data.split import DataSet
from nvp_tf.errors import UserError
from nvp_tf.models.flow import Flow
from nvp_tf.runs.run_dir import RunDir


class OpenRun:
    """A run's flow and data set, each read when it is first needed.

    Args:
      run_dir: the run's folder.
      weights: "best" or "last".
      data_dir: where the data set's files are, if not where they were in training.

    Raises:
      UserError: a folder that is missing, not a run, half-written or corrupt; data that is missing or of another shape.
    """

    def __init__(self, run_dir: str, weights: str = "best", data_dir: str | None = None) -> None:
        self.run, self.weights = RunDir(run_dir), weights
        config = self.run.config
        self.config = dataclasses.replace(config, data=config.data.at(data_dir))

    @functools.cached_property
    def flow(self) -> Flow:
        return self.run.load_flow(self.weights)

    @functools.cached_property
    def dataset(self) -> DataSet:
        dataset = load_dataset(self.config.data, self.config.model.event.levels)
        check_fits(self.config, dataset)
        return dataset


def check_fits(config: Config, dataset: DataSet) -> None:
    """Raises UserError unless the data set has the shape and levels that the model is for."""
    if dataset.event != config.model.event:
        raise UserError(
            f"{dataset.name} has examples of {dataset.event}, expected {config.model.event} as in the config"
        )
