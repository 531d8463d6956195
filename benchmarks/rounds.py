"""Who is timed when, and what ratios come of it."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Speeds:
    """Seconds of one call of each job, (contender, function), one number a round: the median of the round's calls."""

    seconds: dict[tuple[str, str], list[float]]

    def per_second(self, job, work=1) -> float:
        """Of something of which a call does so much: a second, in the median round."""
        return work / statistics.median(self.seconds[job])

    def ratio(self, job, base, work=1, base_work=1) -> dict:
        """How many times as fast as job `base`, round by round: {"median", "low", "high"}."""
        pairs = zip(self.seconds[job], self.seconds[base], strict=True)
        return spread([(work / ours) / (base_work / theirs) for ours, theirs in pairs])


def spread(values) -> dict:
    """{"median", "low", "high"}, the ends of all rounds."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def interleaved(workers, jobs, rounds, seconds, say) -> Speeds:
    """Does every job once a round.

    Args:
      workers: {contender: Worker}.
      jobs: list of (contender, function), those to be compared side by side.
      rounds: how many; every other one is done backwards.
      seconds: of calls, at least, for a job in a round.
      say: called with a line of progress.
    """
    found = {job: [] for job in jobs}
    for contender, function in jobs:
        workers[contender].time(function)  # A first call builds what later ones use.
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for contender, function in jobs if number % 2 == 0 else reversed(jobs):
            calls = workers[contender].time(function, seconds)
            found[contender, function].append(statistics.median(calls))
    return Speeds(found)
