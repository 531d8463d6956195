"""What training tells the person who waits for it, on stderr: how fast, how large, and when it will end."""

import collections
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from nvp_tf.config.schema import Config
from nvp_tf.data.split import DataSet
from nvp_tf.runtime import cores
from nvp_tf.training.utilization import Utilization

Batch = TypeVar("Batch")
FIRST, AGAIN = 10.0, 60.0  # seconds until the first line about steps, and between later ones; without a terminal


class Narration:
    """A bar on a terminal; elsewhere, as in a log, a line about the steps every minute.

    Args:
      steps, batch_size, evaluate_every: of the run.
      start: steps done before.
      told: whether steps are told of, or evaluations alone.
      score: nats an example, to be minimized -> words.
      silent: nothing is said at all, where another process says the same.
    """

    def __init__(
        self,
        steps: int,
        batch_size: int,
        evaluate_every: int,
        start: int,
        told: bool,
        score: Callable[[float], str],
        silent: bool = False,
    ) -> None:
        self.steps_in_all, self.batch_size, self.evaluate_every, self.score = steps, batch_size, evaluate_every, score
        self.of_steps, self.silent = told, silent
        self.terminal = told and sys.stderr.isatty()
        self.next_line = time.monotonic() + FIRST if told and not self.terminal else float("inf")
        self.bar = tqdm(total=steps, initial=start, unit="step", disable=not self.terminal, mininterval=1)
        self.traced = False  # The first call takes long: its graph is made.
        self.seconds: collections.deque[float] = collections.deque(maxlen=200)
        self.losses: collections.deque[float] = collections.deque(maxlen=100)
        self.evaluation_seconds = 0.0
        self.utilization: Utilization | None = None  # once there is a graph

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def say(self, line: str) -> None:
        if not self.silent:
            tqdm.write(line, file=sys.stderr)
            sys.stderr.flush()

    def batches(self, batches: Iterable[Batch], what: str) -> Iterable[Batch]:
        """Shows how far a pass over a data set is."""
        return tqdm(batches, desc=what, unit="batch", disable=not self.terminal, leave=False)

    def steps(self, step: int, losses: list[float], seconds: float) -> None:
        """After each call: `step` steps are done, the last of them with these losses in so many seconds."""
        self.losses.extend(losses)
        if self.traced:
            self.seconds.append(seconds / len(losses))
        self.traced = True
        self.bar.update(step - self.bar.n)
        if step // 20 > (step - len(losses)) // 20 and self.terminal:
            self.bar.set_postfix_str(f"{self.score(float(np.mean(self.losses)))}, {self.pace(step)}", refresh=False)
        if self.seconds and time.monotonic() > self.next_line:
            self.next_line = time.monotonic() + AGAIN
            score = self.score(float(np.mean(self.losses)))
            self.say(f"step {step:,} of {self.steps_in_all:,}: train {score}; {self.pace(step)}")

    def evaluation(self, step: int, train: float, valid: float, best: bool, seconds: float) -> None:
        """After each evaluation; train, valid: nats an example, to be minimized."""
        self.evaluation_seconds = seconds
        scores = f"train {self.score(train)}, validation {self.score(valid)}{' (best)' if best else ''}"
        self.say(f"step {step:,} of {self.steps_in_all:,}: {scores}; {self.pace(step)}")

    def pace(self, step: int) -> str:
        """Examples a second, of the machine's peak, the most memory so far, and what is left, with the evaluations."""
        memory = f"{memory_gigabytes():.1f} GB"
        if not self.seconds:
            return memory
        each = float(np.mean(self.seconds))
        words = [f"{self.batch_size / each:,.0f} examples/s"]
        if self.utilization:
            words.append(f"{self.utilization(each):.0%} of the peak")
        words.append(memory)
        if step < self.steps_in_all:
            evaluations = -(-self.steps_in_all // self.evaluate_every) - step // self.evaluate_every
            words.append(until((self.steps_in_all - step) * each + evaluations * self.evaluation_seconds))
        return ", ".join(words)


def introduction(
    config: Config, data: DataSet, parameters: int, replicas: int, workers: int, run_dir: Path, step: int | None
) -> str:
    """What is trained on what, for how long, where, and after which step it goes on; None for a new run."""
    train = config.train
    epochs = train.steps * train.batch_size / data.train.size
    dropped = data.about.get("rows_dropped", 0)
    device = "GPU" if tf.config.list_logical_devices("GPU") else f"CPU, {cores()} cores"
    return (
        f"{config.model.flow.kind} of {parameters:,} parameters on {data.name}: "
        f"{data.train.size:,} training and {data.valid.size:,} validation examples\n"
        f"{train.steps:,} steps of {train.batch_size} examples, {epochs:,.1f} epochs, "
        f"on {replicas} replica{'s' * (replicas > 1)} ({device}"
        + (f" in each of {workers} workers" if workers > 1 else "")
        + f"), into {run_dir}"
        + (f"; goes on after step {step:,}" if step is not None else "")
        + (f"\n{dropped:,} rows with missing values were dropped" if dropped else "")
    )


def until(seconds: float) -> str:
    """How long it will take, and when that is."""
    if seconds < 90:
        return f"{seconds:.0f} s left"
    long = f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
    clock = "%H:%M" if seconds < 43200 else "%a %H:%M"
    return f"{long} left, until {time.strftime(clock, time.localtime(time.time() + seconds))}"


def memory_gigabytes() -> float:
    """The most that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
