"""The training loop: steps, evaluations, what is kept of them, and every way that it can end or go on."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.config.schema import Config
from nvp_tf.data.pipeline import training_calls
from nvp_tf.data.split import DataSet
from nvp_tf.errors import ResumeLater, UserError, WorkerLost
from nvp_tf.evaluation.evaluator import Evaluator
from nvp_tf.models.objectives import bits_per_dim
from nvp_tf.runs.checkpoints import Progress
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.training.batch_statistics import BatchStatistics
from nvp_tf.training.distributed.strategies import distributed
from nvp_tf.training.distributed.workers import Workers
from nvp_tf.training.divergence import Diverged, Divergence, check_score, largest_log_det
from nvp_tf.training.health import Health
from nvp_tf.training.narration import Narration, introduction, memory_gigabytes
from nvp_tf.training.records import NoRecords, Records
from nvp_tf.training.standardization import fit_standardization
from nvp_tf.training.state import TrainingState
from nvp_tf.training.steps import Calls, steps_of_a_call
from nvp_tf.training.stopping import Stopping
from nvp_tf.training.utilization import Utilization
from nvp_tf.training.whitening import fit_whitening

_TAKEN = {"standardization": fit_standardization, "whitening": fit_whitening}  # whitening sees what is standardized


class Training:
    """The loop: what is done at each step, every so often, and at the end.

    All that decides how it goes on is in `state` and `progress`, and so in each checkpoint; what is kept of it is
    written by `records`. Of several workers the others have the chief's state, and come to its decisions.
    """

    def __init__(
        self,
        config: Config,
        dataset: DataSet,
        run: RunDir,
        strategy: tf.distribute.Strategy,
        workers: Workers,
        verbose: bool,
    ) -> None:
        self.config, self.dataset, self.run, self.strategy, self.workers = config, dataset, run, strategy, workers
        train = config.train
        keras.utils.set_random_seed(train.seed)  # of the initial weights; nothing later draws from it
        self.records = (Records if workers.chief else NoRecords)(run, train.keep_checkpoints)
        with strategy.scope():
            self.state = TrainingState(config)
        found = self._load()
        self.progress = found or Progress()
        if found:
            self.records.saved(found)
        flow = self.state.evaluated
        self.calls = Calls(config, flow.parameters, strategy.num_replicas_in_sync)
        self.call = steps_of_a_call(self.state, strategy, self.calls)
        self.evaluator = Evaluator(flow, workers=workers)
        self.health = Health(flow, config, dataset.valid)
        again = train.recompute_statistics
        self.statistics = (
            BatchStatistics(flow, dataset.train, train.batch_size, train.seed, again, strategy) if again else None
        )
        self.stopping = Stopping()
        told, silent = verbose and workers.chief, not workers.chief
        self.told = Narration(
            train.steps, train.batch_size, train.evaluate_every, self.progress.step, told, self._shown, silent
        )

    def fit(self) -> dict[str, Any]:
        """Trains to the end, and gives the test split's figures (`train.train`)."""
        step = self.progress.step if self.records.begun else None
        parameters, replicas = self.state.flow.parameters, self.strategy.num_replicas_in_sync
        self.told.say(
            introduction(self.config, self.dataset, parameters, replicas, self.workers.count, self.run.path, step)
        )
        with self.stopping.signals_caught(), self.told:
            if not self.records.begun:
                self._begin_run()
            self.records.tables(self.progress)  # without what came after the checkpoint: it will come again
            with self.records.events():
                while self.progress.step < self.config.train.steps or not self.progress.evaluated:
                    try:
                        self._go_on()
                    except Divergence as divergence:
                        self._roll_back(divergence)
            return self._report()

    def _begin_run(self) -> None:
        taken = self.workers.from_chief(
            lambda: {
                name: fit(self.state.flow, self.dataset.train, wrap=self._watched(name)) for name, fit in _TAKEN.items()
            }
        )
        self.workers.set_as_chief(self.state.everything)
        self.state.start_average()
        self.progress.untrained = self.evaluator.evaluate(self.dataset.valid, limit=100)["log_prob"]
        self.records.begin(self.state.flow.parameters, taken | {"data": self.dataset.about})
        self._save()

    def _watched(self, name: str) -> Callable[[Iterable], Iterable]:
        """Batches with a bar of that name, up to a signal."""
        return lambda batches: self._stoppable(self.told.batches(batches, name))

    def _go_on(self) -> None:
        """Steps from where `progress` stands to the last one, with their evaluations and checkpoints."""
        train, progress = self.config.train, self.progress
        batches = iter(self._batches(self.calls.starts(progress.step), self.calls.size))
        while True:
            self._stop_if_any_is_asked()
            due = progress.step % train.evaluate_every == 0 or progress.step == train.steps
            if due and not progress.evaluated:
                self._evaluate()
            elif train.checkpoint_minutes and time.monotonic() > self.records.saved_at + 60 * train.checkpoint_minutes:
                self._save()
            if progress.step == train.steps:
                return
            self._one_call(batches)

    def _one_call(self, batches: Iterator[dict[str, tf.Tensor]]) -> None:
        began = time.perf_counter()
        arguments = next(batches), tf.constant(self.calls.count(self.progress.step))
        waited = time.perf_counter() - began
        done, *found = self.call(*arguments)
        losses, norms = (values.numpy()[: int(done)].tolist() for values in found)
        progress, seconds = self.progress, time.perf_counter() - began
        if not (math.isfinite(losses[-1]) and math.isfinite(norms[-1])):
            self._blame(progress.step + len(losses), losses[-1], norms[-1])
        progress.step += len(losses)
        progress.count += len(losses)
        for loss, norm in zip(losses, norms, strict=True):
            progress.loss += loss
            progress.norm += norm
        progress.minutes += seconds / 60
        progress.waiting += waited / 60
        self.told.steps(progress.step, losses, seconds)
        if self.told.of_steps and self.told.utilization is None and self.strategy.num_replicas_in_sync == 1:
            graph = self.call.get_concrete_function(*arguments).graph
            self.told.utilization = Utilization(graph, self.config.train.network_dtype)

    def _batches(self, starts: list[int], size: int) -> tf.distribute.DistributedDataset:
        train = self.config.train
        return distributed(
            self.strategy,
            lambda pipeline: training_calls(self.dataset.train, train.batch_size, train.seed, starts, size, pipeline),
        )

    def _blame(self, step: int, loss: float, norm: float) -> NoReturn:
        """Raises Divergence for the step that was the last. Of several workers the chief looks at its own part."""

        def blamed() -> str:
            parts = self.strategy.experimental_local_results
            batch = next(iter(self._batches([step - 1], 1)))
            batch = {name: tf.concat(parts(value), axis=0)[:, 0] for name, value in batch.items()}
            return largest_log_det(self.state.flow, batch)

        raise Divergence(step, f"loss {loss:g}, gradient norm {norm:g}; {self.workers.from_chief(blamed)}")

    def _evaluate(self) -> None:
        """Scores the state, keeps what is good of it, and makes it a checkpoint that may be gone back to."""
        began, train, progress, flow = time.perf_counter(), self.config.train, self.progress, self.state.evaluated
        try:
            if self.statistics:
                self.statistics.recompute()
            score = self.evaluator.evaluate(self.dataset.valid, wrap=self._stoppable)
            row = self.workers.from_chief(lambda: self._row(score) | self.health.measure())
        except (tf.errors.OpError, WorkerLost):  # another worker is gone, and the state is whole
            self._save_what_is_new()
            raise
        check_score(row, progress.rows, progress.untrained, flow.dimensions, train.explosion)
        self.health.check(row, progress.step)
        best = not any(row["valid_log_prob"] < other["valid_log_prob"] for other in progress.rows)
        minutes = progress.minutes + (progress.times[-1]["minutes"] if progress.times else 0.0)
        times = {
            "step": progress.step,
            "minutes": minutes,
            "images_per_second": progress.count * train.batch_size / (60 * progress.minutes),
            "waiting_for_data": progress.waiting / progress.minutes,
            "memory_gigabytes": memory_gigabytes(),
        }
        progress.rows.append(row)
        progress.times.append(times)
        progress.count, progress.loss, progress.norm = 0, 0.0, 0.0
        progress.minutes, progress.waiting = 0.0, 0.0
        self.records.evaluation(progress, flow, best)
        self._save()
        if self.told.utilization:
            self.told.utilization.measure()
        seconds = time.perf_counter() - began
        self.told.evaluation(progress.step, -row["train_log_prob"], -row["valid_log_prob"], best, seconds)

    def _row(self, score: dict[str, Any]) -> dict[str, Any]:
        """What metrics.csv has of the steps since the row before: all of it the same each time that they are done."""
        progress = self.progress
        train_log_prob = -progress.loss / progress.count
        return {
            "step": progress.step,
            "learning_rate": float(self.state.optimizer.learning_rate),
            "gradient_norm": progress.norm / progress.count,
            "train_log_prob": train_log_prob,
            "valid_log_prob": score["log_prob"],
            "train_bits_per_dim": self._bits(train_log_prob),
            "valid_bits_per_dim": score["bits_per_dim"],
            "rollbacks": len(progress.rollbacks),
        }

    def _load(self, evaluated: bool = False) -> Progress | None:
        """Sets the state to the newest checkpoint that is whole; its Progress, None where there is none."""

        def load() -> dict[str, Any] | None:
            found = self.records.load(self.state.everything, evaluated)
            return dataclasses.asdict(found) if found else None

        found = self.workers.from_chief(load)
        if found is None:
            return None
        self.workers.set_as_chief(self.state.everything)
        return Progress(**found)

    def _save(self) -> None:
        self.records.save(self.state.everything, self.progress)
        self.records.saved(self.progress)

    def _save_what_is_new(self) -> None:
        if self.progress.step > self.records.saved_step:
            self._save()

    def _roll_back(self, divergence: Divergence) -> None:
        """Goes back to the last state that an evaluation found good, with a lower learning rate."""
        train, before = self.config.train, self.progress.rollbacks
        if len(before) == train.rollbacks:
            times = f"{len(before) + 1} times, the last " if before else ""
            kept = self.workers.from_chief(self.records.good_step)
            raise Diverged(
                f"training diverged {times}at {divergence}; the checkpoint of step {kept} is kept; try a "
                f"lower train.learning_rate, a longer train.warmup_steps or a smaller train.clip_norm in a new run_dir"
            )
        good = self._load(evaluated=True)
        if good is None:
            raise UserError(f"{self.run.path} has no checkpoint any more, expected one to go back to: {divergence}")
        self.progress = good
        record = {"step": divergence.step, "to_step": self.progress.step, "reason": divergence.reason}
        self.progress.rollbacks = [*before, record]
        factor = train.rollback_factor ** len(self.progress.rollbacks)
        self.state.rate_factor.assign(factor)
        self._save()
        self.records.tables(self.progress)
        self.told.say(
            f"diverged at {divergence}\nback to step {self.progress.step:,} with the learning rate times {factor:g}, "
            f"rollback {len(before) + 1} of {train.rollbacks}"
        )

    def _report(self) -> dict[str, Any]:
        figures, last = self.workers.from_chief(self._score_test), self.progress.times[-1]
        return figures | {
            "split": "test",
            "steps": self.config.train.steps,
            "rollbacks": len(self.progress.rollbacks),
            "minutes": round(last["minutes"], 2),
            "training_images_per_second": round(last["images_per_second"], 1),
            "waiting_for_data": round(last["waiting_for_data"], 4),
            "memory_gigabytes": round(memory_gigabytes(), 2),
            "parameters": self.state.flow.parameters,
            **self.dataset.about,
            "run_dir": str(self.run.path),
        }

    def _score_test(self) -> dict[str, Any]:
        best = self.run.load_flow("best")
        figures = Evaluator(best).evaluate(self.dataset.test, wrap=self._stoppable)
        self.records.score("test", figures, self.progress.step)
        return figures

    def _bits(self, log_prob: float) -> float | None:
        flow = self.state.flow
        return float(bits_per_dim(log_prob, flow.dimensions)) if flow.event.is_image else None

    def _shown(self, loss: float) -> str:
        bits = self._bits(-loss)
        return f"{loss:.3f} nats" if bits is None else f"{bits:.3f} bits/dim"

    def _stoppable(self, batches: Iterable[tf.Tensor]) -> Iterator[tf.Tensor]:
        for batch in batches:
            self._stop_if_asked()
            yield batch

    def _stop_if_asked(self) -> None:
        """After a signal: saves the steps that were done, and raises. Called where `state` and `progress` agree."""
        if self.stopping.asked is None:
            return
        self._save_what_is_new()
        raise self.stopping.asked(f"stopped after step {self.progress.step}: the same command goes on from there")

    def _stop_if_any_is_asked(self) -> None:
        """After a signal to one of the workers all of them stop, at the same step."""
        kinds = (KeyboardInterrupt, ResumeLater)
        asked = self.workers.total(np.array([kind is self.stopping.asked for kind in kinds], np.int32))
        self.stopping.asked = next((kind for kind, count in zip(kinds, asked, strict=True) if count), None)
        self._stop_if_asked()
