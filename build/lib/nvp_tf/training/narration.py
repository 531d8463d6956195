"""What training tells the person who waits for it, on stderr: how fast, how large, and when it will end."""

import collections
import resource
import sys
import time

import numpy as np
from tqdm import tqdm

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

    def __init__(self, steps, batch_size, evaluate_every, start, told, score, silent=False):
        self.steps_in_all, self.batch_size, self.evaluate_every, self.score = steps, batch_size, evaluate_every, score
        self.of_steps, self.silent = told, silent
        self.terminal = told and sys.stderr.isatty()
        self.next_line = time.monotonic() + FIRST if told and not self.terminal else float("inf")
        self.bar = tqdm(total=steps, initial=start, unit="step", disable=not self.terminal, mininterval=1)
        self.traced = False  # The first call takes long: its graph is made.
        self.seconds, self.losses = collections.deque(maxlen=200), collections.deque(maxlen=100)
        self.evaluation_seconds = 0.0
        self.utilization = None  # a `Utilization`, once there is a graph

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()

    def say(self, line):
        if not self.silent:
            tqdm.write(line, file=sys.stderr)
            sys.stderr.flush()

    def batches(self, batches, what):
        """Shows how far a pass over a data set is."""
        return tqdm(batches, desc=what, unit="batch", disable=not self.terminal, leave=False)

    def steps(self, step, losses, seconds):
        """After each call: `step` steps are done, the last of them with these losses in so many seconds."""
        self.losses.extend(losses)
        if self.traced:
            self.seconds.append(seconds / len(losses))
        self.traced = True
        self.bar.update(step - self.bar.n)
        if step // 20 > (step - len(losses)) // 20 and self.terminal:
            self.bar.set_postfix_str(f"{self.score(np.mean(self.losses))}, {self.pace(step)}", refresh=False)
        if self.seconds and time.monotonic() > self.next_line:
            self.next_line = time.monotonic() + AGAIN
            self.say(
                f"step {step:,} of {self.steps_in_all:,}: train {self.score(np.mean(self.losses))}; {self.pace(step)}"
            )

    def evaluation(self, step, train, valid, best, seconds):
        """After each evaluation; train, valid: nats an example, to be minimized."""
        self.evaluation_seconds = seconds
        scores = f"train {self.score(train)}, validation {self.score(valid)}{' (best)' if best else ''}"
        self.say(f"step {step:,} of {self.steps_in_all:,}: {scores}; {self.pace(step)}")

    def pace(self, step) -> str:
        """Examples a second, of the machine's peak, the most memory so far, and what is left, with the evaluations."""
        memory = f"{memory_gigabytes():.1f} GB"
        if not self.seconds:
            return memory
        each = np.mean(self.seconds)
        words = [f"{self.batch_size / each:,.0f} examples/s"]
        if self.utilization:
            words.append(f"{self.utilization(each):.0%} of the peak")
        words.append(memory)
        if step < self.steps_in_all:
            evaluations = -(-self.steps_in_all // self.evaluate_every) - step // self.evaluate_every
            words.append(until((self.steps_in_all - step) * each + evaluations * self.evaluation_seconds))
        return ", ".join(words)


def until(seconds) -> str:
    """How long it will take, and when that is."""
    if seconds < 90:
        return f"{seconds:.0f} s left"
    long = f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
    clock = "%H:%M" if seconds < 43200 else "%a %H:%M"
    return f"{long} left, until {time.strftime(clock, time.localtime(time.time() + seconds))}"


def memory_gigabytes() -> float:
    """The most that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
