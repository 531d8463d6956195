"""Who is timed when, and what ratios come of it."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Speeds:
    """Seconds of one call of each function of each contender, one number a round: the median of the round's calls."""

    seconds: dict[str, dict[str, list[float]]]

    def per_second(self, contender, function, examples=1) -> float:
        """Examples a second, the median of the rounds."""
        return examples / statistics.median(self.seconds[contender][function])

    def ratio(self, contender, function, base) -> dict:
        """How many times as fast as `base`: each round's ratio is of neighbours in time. {"median", "low", "high"}."""
        pairs = zip(self.seconds[base][function], self.seconds[contender][function], strict=True)
        return spread([theirs / ours for theirs, ours in pairs])


def spread(values) -> dict:
    """{"median", "low", "high"}, the ends of all rounds."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def interleaved(workers, functions, rounds, seconds, say) -> Speeds:
    """Times every function of every worker once a round.

    Args:
      workers: {contender: Worker}.
      functions: names that each of them has.
      rounds: how many; every other one goes through the workers backwards.
      seconds: of calls, at least, for a function of a worker in a round.
      say: called with a line of progress.
    """
    found = {contender: {function: [] for function in functions} for contender in workers}
    for function in functions:
        for worker in workers.values():
            worker.time(function)  # A first call builds what later ones use.
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        order = list(workers) if number % 2 == 0 else list(reversed(workers))
        for function in functions:
            for contender in order:
                calls = workers[contender].time(function, seconds)
                found[contender][function].append(statistics.median(calls))
    return Speeds(found)
