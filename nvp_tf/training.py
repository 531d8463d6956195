"""The training loop: steps, evaluations, what is kept of them, and every way that it can end."""

import contextlib
import functools
import math
import signal
import sys
import threading
import time

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from nvp_tf.config import Config
from nvp_tf.data import DataSet, training_batches
from nvp_tf.data.pipeline import check_batch_size
from nvp_tf.errors import UserError
from nvp_tf.evaluation import Evaluator
from nvp_tf.figures import layout
from nvp_tf.figures.samples import default_count, has_picture, sample_picture
from nvp_tf.initialization import fit_whitening
from nvp_tf.objectives import bits_per_dim
from nvp_tf.run_dir import RunDir, load_weights, save_weights
from nvp_tf.training_state import TrainingState


class Diverged(UserError):
    """The loss is not finite. The message names the step, the layer to look at, and what to try."""


def train(config: Config, dataset: DataSet, run_dir, strategy=None, progress=True) -> dict:
    """Trains to `config.train.steps`, from where the run directory stands, and scores the test split.

    Args:
      config: the run; `Config.for_data` fits a preset to another data set.
      dataset: what to train on.
      run_dir: a folder: new, or of an earlier part of the same run, which goes on to the bit as if
        it had never stopped.
      strategy: a `tf.distribute` strategy; None for MirroredStrategy over the devices that are there.
      progress: whether to draw a bar on stderr.

    Returns:
      The test split's figures (`Evaluator.evaluate`), with steps, minutes, parameters and paths.

    Raises:
      UserError: data of another shape, a folder of another run.
      Diverged: the loss is not finite.
      KeyboardInterrupt: after Ctrl-C or SIGTERM, once the state is saved.
    """
    check_fits(config, dataset)
    strategy = strategy or make_strategy("mirrored")
    check_batch_size(dataset.train, config.train.batch_size)
    if config.train.batch_size < strategy.num_replicas_in_sync:
        raise UserError(
            f"batch_size is {config.train.batch_size}, expected at least one example "
            f"for each of {strategy.num_replicas_in_sync} replicas"
        )
    run = RunDir.create(run_dir, config)
    return _Training(config, dataset, run, strategy, progress).fit()


def make_strategy(name):
    """ "mirrored": a replica on each GPU, or one on the CPU. "none": the plain one-device strategy."""
    return _mirrored() if name == "mirrored" else tf.distribute.get_strategy()


@functools.cache
def _mirrored():
    # One a process: each strategy numbers its collectives from the same start, and TensorFlow remembers
    # their shapes by number, so that a second strategy with another model fails on two devices.
    return tf.distribute.MirroredStrategy()


def check_fits(config: Config, dataset: DataSet):
    """Raises UserError unless the data set has the shape and levels that the model is for."""
    levels = config.model.pixels.levels if config.model.pixels else None
    if (dataset.event_shape, dataset.levels) != (config.model.event_shape, levels):
        raise UserError(
            f"{dataset.name} has shape {dataset.event_shape} and levels {dataset.levels}, "
            f"expected {config.model.event_shape} and {levels} as in the config"
        )


class _Training:
    """The loop: what is done at each step, every so often, and at the end."""

    def __init__(self, config, dataset, run, strategy, progress):
        self.config, self.dataset, self.run, self.strategy, self.progress = config, dataset, run, strategy, progress
        keras.utils.set_random_seed(config.train.seed)  # of the initial weights; nothing later draws from it
        with strategy.scope():
            self.state = TrainingState(config)
            if run.state.is_file():
                load_weights(self.state, run.state)
        self.start = int(strategy.experimental_local_results(self.state.optimizer.iterations.value)[0])
        # Rows after the saved state are of steps that will be done again.
        self.rows = [row for row in run.read_metrics() if row["step"] <= self.start]
        self.evaluator = Evaluator(self.state.evaluated)
        self.stop_requested = False
        self._begin_interval()

    def fit(self) -> dict:
        train = self.config.train
        if not self.start:
            self._begin_run()
        batches = training_batches(self.dataset.train, train.batch_size, train.seed, self.start)
        batches = iter(self.strategy.experimental_distribute_dataset(batches))
        bar = tqdm(
            total=train.steps,
            initial=self.start,
            unit="step",
            disable=not self.progress,
            mininterval=1 if sys.stderr.isatty() else 30,
        )
        with self._signals_caught(), tf.summary.create_file_writer(str(self.run.tensorboard)).as_default(), bar:
            for step in range(self.start + 1, train.steps + 1):
                self._one_step(step, next(batches))
                bar.update()
                if step % 20 == 0:
                    bar.set_postfix_str(self._shown(np.mean(self.losses[-100:])), refresh=False)
                if step % train.evaluate_every == 0 or step == train.steps:
                    self._evaluate(step, bar)
                    save_weights(self.state, self.run.state)
                elif self.stop_requested:
                    self._record(step)
                    save_weights(self.state, self.run.state)
                if self.stop_requested and step < train.steps:
                    raise KeyboardInterrupt(f"stopped after step {step}: the same command goes on from there")
        return self._report()

    def _begin_run(self):
        whitening = fit_whitening(
            self.state.flow,
            self.dataset.train,
            progress=lambda batches: tqdm(batches, desc="whitening", unit="batch", disable=not self.progress),
        )
        self.state.start_average()
        self.run.write_metadata(self.state.flow.count_params(), whitening)

    def _one_step(self, step, batch):
        loss, norm = (float(value) for value in self._step(batch))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise self._diverged(step, loss, norm, batch)
        self.losses.append(loss)
        self.norms.append(norm)

    @tf.function
    def _step(self, batch):
        results = self.strategy.run(self.state.replica_step, args=(batch,))
        if self.state.averaged:
            self.state.move_average()
        return [self.strategy.experimental_local_results(value)[0] for value in results]

    def _evaluate(self, step, bar):
        score = self.evaluator.evaluate(self.dataset.valid)
        row = self._record(step, score)
        flow = self.state.evaluated
        self.run.save_flow(flow, "last")
        scores = [row["valid_log_prob"] for row in self.rows if row["valid_log_prob"] is not None]
        # Not max(scores): a NaN among them, which is never the best, would hide it.
        if not math.isnan(score["log_prob"]) and not any(score["log_prob"] < other for other in scores):
            self.run.save_flow(flow, "best")
        for name, value in row.items():
            if value is not None and name != "step":
                tf.summary.scalar(name, value, step)
        if has_picture(flow):
            picture = sample_picture(flow, default_count(flow))
            layout.save(picture, self.run.samples / f"step-{step:07d}.png")
            pixels = np.asarray(picture.convert("RGB"))
            tf.summary.image("samples", pixels[None], step)
        bar.write(f"step {step}: train {self._shown(-row['train_log_prob'])}, "
                  f"validation {self._shown(-score['log_prob'])}", file=sys.stderr)  # fmt: skip
        self._begin_interval()

    def _begin_interval(self):
        self.began, self.losses, self.norms = time.perf_counter(), [], []

    def _record(self, step, score=None):
        """Adds a row to metrics.csv, of the steps since the last; without a score where training was stopped."""
        minutes = (time.perf_counter() - self.began) / 60
        train_log_prob = -float(np.mean(self.losses))
        row = {
            "step": step,
            "minutes": minutes + (self.rows[-1]["minutes"] if self.rows else 0.0),
            "images_per_second": len(self.losses) * self.config.train.batch_size / (60 * minutes),
            "learning_rate": float(self.state.optimizer.learning_rate),
            "gradient_norm": float(np.mean(self.norms)),
            "train_log_prob": train_log_prob,
            "valid_log_prob": score and score["log_prob"],
            "train_bits_per_dim": self._bits(train_log_prob),
            "valid_bits_per_dim": score and score["bits_per_dim"],
        }
        self.rows.append(row)
        self.run.write_metrics(self.rows)
        return row

    def _bits(self, log_prob):
        flow = self.state.flow
        return None if flow.pixels is None else float(bits_per_dim(log_prob, flow.dimensions))

    def _shown(self, loss):
        bits = self._bits(-loss)
        return f"{loss:.3f} nats" if bits is None else f"{bits:.3f} bits/dim"

    def _report(self):
        best = self.run.load_flow("best")
        figures = Evaluator(best).evaluate(self.dataset.test)
        self.run.write_score("test", figures)
        last = self.rows[-1]
        return figures | {
            "split": "test",
            "steps": self.config.train.steps,
            "minutes": round(last["minutes"], 2),
            "training_images_per_second": round(last["images_per_second"], 1),
            "parameters": self.state.flow.count_params(),
            "run_dir": str(self.run.path),
        }

    def _diverged(self, step, loss, norm, batch):
        parts = self.strategy.experimental_local_results
        batch = {name: tf.concat(parts(value), axis=0) for name, value in batch.items()}
        flow = self.state.flow
        v = batch["x"] if flow.pixels is None else flow.pixels.dequantize(batch["x"], batch["noise"])
        sizes = [(float(tf.reduce_max(tf.abs(log_det))), name) for name, log_det in flow.bijector.log_dets(v, True)]
        # A NaN is the largest: it compares as False with everything.
        size, name = max(sizes, key=lambda pair: (math.isnan(pair[0]), pair[0]))
        saved = f"the state of step {self.rows[-1]['step']:.0f} is kept" if self.rows else "nothing was saved"
        return Diverged(
            f"training diverged at step {step}: loss {loss:g}, gradient norm {norm:g}; the largest |log_det| is "
            f"{size:g} nats, of {name}; {saved}; try a lower train.learning_rate, a longer train.warmup_steps, "
            f"or a smaller train.clip_norm, in a new run_dir"
        )

    @contextlib.contextmanager
    def _signals_caught(self):
        """Ctrl-C and SIGTERM end the loop after the step that is running; a second one ends it at once."""

        def request_stop(number, frame):
            if self.stop_requested:
                raise KeyboardInterrupt
            self.stop_requested = True

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
