"""A budget of wall-clock or of steps, and what was done under it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


class Budget:
    """Seconds from now on, or a number of steps, or both: whichever ends first.

    With steps what is done is the same each time; with seconds alone it is as much as this machine can do.

    Args:
      seconds: of wall-clock, None for no end.
      steps: of an optimizer or of EM, None for no end.
      clock: seconds by a clock that does not go back.
    """

    def __init__(
        self, seconds: float | None = None, steps: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if seconds is None and steps is None:
            raise ValueError("a budget has neither seconds nor steps, expected one")
        self.seconds, self.steps, self._clock, self._began = seconds, steps, clock, clock()

    @property
    def used(self) -> float:
        """Seconds since it was made."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Seconds; infinite where there is no end."""
        return float("inf") if self.seconds is None else self.seconds - self.used

    def spent(self, steps: int) -> bool:
        """Whether it is, after so many steps."""
        return self.left <= 0 or (self.steps is not None and steps >= self.steps)

    def fraction(self, steps: int) -> float:
        """The share of it that is used after so many steps, 0 to 1: of the steps where they are given."""
        share = 0.0
        if self.steps is not None:
            share = steps / self.steps
        elif self.seconds is not None:
            share = self.used / self.seconds
        return min(1.0, max(0.0, share))


@dataclass
class Fit:
    """What `Density.fit` did.

    seconds: of wall-clock, all of it.
    steps: of the optimizer, or iterations of EM.
    ended: "budget", "converged", or why it ended early.
    best: the mean nats an example of the best weights on validation data; None where none were scored.
    images_per_second: of training alone, without what validation takes.
    rows: {"seconds", "steps", "train", "valid"} of each evaluation, mean nats an example; "train" is None for EM's.
    notes: what a reader of the row has to know, such as the ridge of a covariance.
    """

    seconds: float = 0.0
    steps: int = 0
    ended: str = "budget"
    best: float | None = None
    images_per_second: float | None = None
    rows: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
