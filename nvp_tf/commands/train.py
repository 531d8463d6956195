"""Trains a density model and scores it on the test split.

nvp_tf train --preset=realnvp_digits --run_dir=runs/digits

The same command again goes on where the run stopped; with --run_dir alone the run's own config is used.
Exit status 75 after SIGTERM: what was done is saved, start it again.
"""

import dataclasses
from typing import Any

from absl import flags

from nvp_tf import cli
from nvp_tf.config.presets.registry import PRESETS, get_preset
from nvp_tf.config.schema import Config, DataConfig, PixelsConfig
from nvp_tf.errors import UserError

FLAGS = flags.FLAGS
flags.DEFINE_enum("preset", None, sorted(PRESETS), "What to train; needed for a new run.")
flags.DEFINE_string("run_dir", None, "The run's folder.", required=True)
flags.DEFINE_string("dataset", None, "Another data set than the preset's, by name.")
flags.DEFINE_string("data_dir", None, "Where the data set's files are.")
flags.DEFINE_list("columns", None, "Of a table, by name or, without a header, by number from 0; all where not given.")
flags.DEFINE_multi_string("set", [], "Changes a key of the preset's config, such as --set=train.steps=1000.")
flags.DEFINE_enum(
    "strategy",
    "mirrored",
    ["mirrored", "multiworker", "none"],
    "What a step is spread over: this machine's GPUs or its CPU; processes, by TF_CONFIG or Slurm; nothing.",
)
flags.DEFINE_float("worker_timeout", 600.0, "Seconds that multiworker waits for all workers to begin.", lower_bound=0.0)
flags.DEFINE_bool("progress", True, "Draw a progress bar.")


def main() -> dict[str, Any]:
    cli.end_at_sigterm("before training began")
    for flag in ("dataset", "data_dir", "columns", "set"):
        if FLAGS[flag].value and not FLAGS.preset:
            raise UserError(f"--{flag} needs --preset: without one the config in {FLAGS.run_dir} is used as it is")
    from nvp_tf.runs.run_dir import RunDir  # it takes NumPy, and --help takes none

    run = RunDir(FLAGS.run_dir)
    config = preset_config() if FLAGS.preset else run.config
    cli.quiet_tensorflow()
    from nvp_tf.data.registry import load_dataset
    from nvp_tf.training.choices import set_threads
    from nvp_tf.training.distributed.strategies import make_strategy
    from nvp_tf.training.train import train

    set_threads(config.override([s for s in FLAGS.set if s.startswith("train.")]), run)
    strategy = make_strategy(FLAGS.strategy, FLAGS.worker_timeout)
    dataset = load_dataset(config.data, levels_asked_for(config) if FLAGS.preset else config.model.event.levels)
    if FLAGS.preset:
        config = config.for_data(config.data, dataset.event).override(model_and_train_keys())
    return train(config, dataset, FLAGS.run_dir, strategy, FLAGS.progress)


def preset_config() -> Config:
    """The preset on the data set that the flags name. What a flag gets wrong is said before TensorFlow is imported."""
    config = get_preset(FLAGS.preset).config
    same_data = FLAGS.dataset in (None, config.data.name)
    data = config.data if same_data else DataConfig(FLAGS.dataset)
    data_keys = [s for s in FLAGS.set if s.startswith("data.")]
    if FLAGS.columns:
        data = dataclasses.replace(data, columns=tuple(FLAGS.columns))
    config = dataclasses.replace(config, data=data.at(FLAGS.data_dir)).override(data_keys)
    if same_data:
        config.override(model_and_train_keys())
    return config


def levels_asked_for(config: Config) -> int | None:
    """Of --set=model.pixels.levels, or else of the preset; None for one of vectors."""
    keys = [s for s in FLAGS.set if s.startswith("model.pixels.levels=")]
    if keys and config.model.pixels is None:
        config = dataclasses.replace(config, model=dataclasses.replace(config.model, pixels=PixelsConfig()))
    return config.override(keys).model.event.levels


def model_and_train_keys() -> list[str]:
    """The --set flags that can only be checked against the data set's own shape."""
    return [s for s in FLAGS.set if not s.startswith("data.")]
