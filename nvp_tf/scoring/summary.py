"""What a table of scores comes to; two summaries of parts make that of the whole."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Self

from nvp_tf.scoring.scorer import Row

BIN = 0.05  # bits/dim; percentiles are counted in twentieths
LEVEL = 0.05  # of typicality and of foreign


class Summary:
    """Counts and histograms of rows (name, answers or None, error).

    Of images the histogram is of bits/dim, floor(value / 0.05) -> count, and of everything that has a percentile,
    floor(percentile / 5) -> count, with 100 in the last: bins are the same everywhere, so that they add up.
    """

    def __init__(self) -> None:
        self.scored = self.errors = self.impossible = self.atypical = self.with_typicality = 0
        self.foreign = self.with_foreign = 0
        self.finite = 0  # scores, which `sums` are of
        self.sums: defaultdict[str, float] = defaultdict(float)
        self.bits: Counter[int] = Counter()
        self.percentiles: Counter[int] = Counter()
        self.first_error = ""

    def add(self, rows: Iterable[Row]) -> None:
        for name, answers, error in rows:
            if answers is None:
                self.errors += 1
                self.first_error = self.first_error or f"{name} {error}"
                continue
            self.scored += 1
            if "log_prob" not in answers:
                continue
            log_prob = float(answers["log_prob"])
            if math.isfinite(log_prob):
                self.finite += 1
                self.sums["log_prob"] += log_prob
                if "bits_per_dim" in answers:
                    bits = float(answers["bits_per_dim"])
                    self.sums["bits_per_dim"] += bits
                    self.bits[math.floor(bits / BIN)] += 1
            else:
                self.impossible += log_prob == -math.inf
            if math.isfinite(percentile := float(answers["percentile"])):
                self.percentiles[min(19, math.floor(percentile / 5))] += 1
                self.with_typicality += 1
                self.atypical += float(answers["typicality"]) < LEVEL
                if "foreign" in answers:
                    self.with_foreign += 1
                    self.foreign += float(answers["foreign"]) < LEVEL

    def merge(self, other: Self) -> None:
        """Adds what another has counted."""
        counts = ("scored", "errors", "impossible", "atypical", "with_typicality", "foreign", "with_foreign", "finite")
        for name in counts:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, value in other.sums.items():
            self.sums[name] += value
        self.bits.update(other.bits)
        self.percentiles.update(other.percentiles)
        self.first_error = self.first_error or other.first_error

    def figures(self) -> dict[str, float]:
        """For a line of JSON; means are of the finite scores."""
        figures: dict[str, float] = {"scored": self.scored, "errors": self.errors}
        if self.with_typicality:
            figures["impossible"] = self.impossible
            figures |= {
                f"mean_{name}": self.sums[name] / self.finite
                for name in ("log_prob", "bits_per_dim")
                if name in self.sums
            }
            figures["atypical_share"] = self.atypical / self.with_typicality
        if self.with_foreign:
            figures["foreign_share"] = self.foreign / self.with_foreign
        return figures

    def histograms(self) -> dict[str, dict[str, int]]:
        """Lower edge of each bin -> count."""
        return {
            "bits_per_dim": {f"{number * BIN:.2f}": self.bits[number] for number in sorted(self.bits)},
            "percentile": {str(5 * number): self.percentiles[number] for number in range(20)},
        }

    def remarks(self) -> Iterator[str]:
        """Lines for a person."""
        if self.errors:
            yield f"{self.errors} could not be scored, such as {self.first_error}"
        if self.impossible:
            yield f"{self.impossible} have a log_prob of -inf: with values that the training data cannot have"
