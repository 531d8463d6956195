"""Training: a config and a data set in, a run's folder out, through whatever happens on the way."""

import sys
from pathlib import Path
from typing import Any

import tensorflow as tf

from nvp_tf.config.schema import Config
from nvp_tf.data.columns import check_columns
from nvp_tf.data.pipeline import check_batch_size
from nvp_tf.data.split import DataSet
from nvp_tf.errors import UserError
from nvp_tf.runs.opened import check_fits
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.runtime import threads
from nvp_tf.training.choices import chosen
from nvp_tf.training.distributed.strategies import make_strategy
from nvp_tf.training.distributed.workers import Workers
from nvp_tf.training.loop import Training


def train(
    config: Config,
    dataset: DataSet,
    run_dir: str | Path,
    strategy: tf.distribute.Strategy | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Trains to `config.train.steps`, from where the run directory stands, and scores the test split.

    Args:
      config: the run; `Config.for_data` fits a preset to another data set.
      dataset: what to train on.
      run_dir: a folder: new, or of an earlier part of the same run, which goes on to the bit as if
        it had never stopped.
      strategy: a `tf.distribute` strategy; None for MirroredStrategy over the devices that are there. Of several
        workers each calls this with the same arguments; only the chief uses run_dir.
      progress: whether to tell of steps on stderr, and not of evaluations alone.

    Returns:
      The test split's figures (`Evaluator.evaluate`), with steps, minutes, parameters and paths.

    Raises:
      UserError: data of another shape or with a column that never varies, a folder of another run or of one that is
        being trained, a full disk.
      Diverged: after `config.train.rollbacks` times with a lower rate.
      KeyboardInterrupt: after Ctrl-C; its kind `ResumeLater` after SIGTERM. The state is saved. Of that the kind
        `WorkerLost` where another worker ended.
    """
    check_fits(config, dataset)
    strategy = strategy or make_strategy("mirrored")
    check_batch_size(dataset.train, config.train.batch_size)
    if config.train.batch_size < strategy.num_replicas_in_sync:
        raise UserError(
            f"batch_size is {config.train.batch_size}, expected at least one example "
            f"for each of {strategy.num_replicas_in_sync} replicas"
        )
    workers = Workers(strategy)
    with workers.noticed():
        _check_same(config, dataset, workers)
        config = Config.from_json(workers.from_chief(lambda: _settled(config, RunDir(run_dir)).to_json()))
        if not workers.chief:
            return Training(config, dataset, RunDir(run_dir), strategy, workers, progress).fit()
        check_columns(dataset)
        run = RunDir.create(run_dir, config)
        with run.locked():
            return Training(config, dataset, run, strategy, workers, progress).fit()


def _settled(config: Config, run: RunDir) -> Config:
    """What the run has chosen, or a new one chooses."""
    if not run.begun:
        return chosen(config)
    config = config.settled_by(run.config)
    if config.train.threads not in (0, threads()):
        print(
            f"this process has {threads()} threads for an operation and the run {config.train.threads}: it goes on "
            "to rounding, not to the bit",
            file=sys.stderr,
        )
    return config


def _check_same(config: Config, dataset: DataSet, workers: Workers) -> None:
    """Raises UserError in a worker that does not train what the chief does."""
    sizes = [dataset.train.size, dataset.valid.size, dataset.test.size]
    chiefs: dict[str, Any] = workers.from_chief(lambda: {"config": config.to_json(), "sizes": sizes})
    differences = config.differences(Config.from_json(chiefs["config"]))
    if sizes != chiefs["sizes"]:
        differences += [f"examples of {dataset.name}: {sizes} != {chiefs['sizes']}"]
    if differences:
        raise UserError(f"worker {workers.index} and the chief train different things: {'; '.join(differences)}")
