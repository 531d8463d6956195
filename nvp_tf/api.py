"""The Python door: a run or a person's own arrays, and a Flow in return."""

from nvp_tf.config.presets.registry import get_preset
from nvp_tf.config.schema import Config, DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.split import DataSet
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.training.train import train as train_run


def preset(name: str, *assignments: str) -> Config:
    """The config of a preset, with changes such as "train.steps=1000".

    Raises:
      UserError: an unknown preset or key, or a value out of range.
    """
    return get_preset(name).config.override(assignments)


def load(run_dir, weights="best"):
    """The Flow of a run, with its "best" or "last" weights.

    Raises:
      UserError: a folder that is missing, not a run, half-written or corrupt.
    """
    return RunDir(run_dir).load_flow(weights)


def train(config: Config, data, run_dir, progress=True):
    """Trains on a person's own data, and gives the Flow with the best validation score.

    Args:
      config: such as `preset("realnvp_digits")`; it takes on the data's shape and levels.
      data: integer images [n, height, width, channels] or [n, height, width] with 256 levels, float
        vectors [n, dimensions], of which a tenth each is held out; or what `from_arrays` gives.
      run_dir: the run's folder; the same call again goes on where it stopped.

    Raises:
      UserError: data that the model is not for, or a folder of another run.
    """
    dataset = data if isinstance(data, DataSet) else from_arrays(data)
    config = config.for_data(DataConfig(dataset.name), dataset.event)
    train_run(config, dataset, run_dir, progress=progress)
    return load(run_dir)
