"""Whether the source of a folder of examples has changed: their `foreign` p-values taken together."""

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nvp_tf.files import write_text
from nvp_tf.scoring.scorer import Row
from nvp_tf.scoring.summary import LEVEL

LEVELS = (LEVEL, 0.5)  # what `changed` counts below
COLUMNS = ("group", "scored", "errors", "mean_log_prob", "foreign_share", "changed")


class Groups:
    """Rows (name, answers or None, error) by the folder that their names are in.

    Args:
      held_out: m, how many held-out examples the p-values are among.
    """

    def __init__(self, held_out: int) -> None:
        self.held_out = held_out
        self._errors: defaultdict[str, int] = defaultdict(int)
        self._log_probs: defaultdict[str, list[float]] = defaultdict(list)
        self._p_values: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, rows: Iterable[Row]) -> None:
        for name, answers, _ in rows:
            group = os.path.dirname(name) or "."
            self._errors[group] += answers is None
            if answers is not None:
                self._log_probs[group].append(float(answers["log_prob"]))
                self._p_values[group].append(float(answers["foreign"]))

    def figures(self) -> list[dict[str, float | str]]:
        """Of each group, in the order of their names, `COLUMNS`."""
        return [self._figures(group) for group in sorted(self._errors)]

    def write(self, out: str | Path) -> None:
        """A CSV of `figures`."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.figures())
        write_text(Path(out), text.getvalue().encode(errors="surrogateescape").decode(errors="replace"))

    def _figures(self, group: str) -> dict[str, float | str]:
        p, log_prob = np.array(self._p_values[group]), np.array(self._log_probs[group])
        known: dict[str, float | str] = {"group": group, "scored": len(p), "errors": self._errors[group]}
        if not len(p):
            return known
        mean = float(log_prob[np.isfinite(log_prob)].mean()) if np.isfinite(log_prob).any() else -np.inf
        share = float(np.mean(~(p >= LEVEL)))
        return known | {"mean_log_prob": mean, "foreign_share": share, "changed": changed(p, self.held_out)}


def changed(p_values: np.ndarray, held_out: int) -> float:
    """The p-value of n examples together: small where they are not what the held-out ones are.

        K_r = #{p_j <= r / (m + 1)},   P(K_r >= k) = P(B >= k),   B ~ BetaBinomial(n, r, m + 1 - r)
        p = min(1, 2 min over r of P(B >= K_r)),   r / (m + 1) the multiple not above 0.05, and that not above 0.5

    The p_j are not independent: all are counted among the same m held-out examples, and where those happen
    to lie close together, all are small. If the n + m are exchangeable, the share of new ones beyond the r-th
    farthest held-out one is Beta(r, m + 1 - r), and K_r is as said, exactly (on the safe side with ties);
    the factor is Bonferroni's, for two counts. Fisher's or Stouffer's way to combine p-values would be wrong here
    (Bates et al. 2023).

    Args:
      p_values: p_j, [n]; nan counts as foreign.
      held_out: m.
    """
    from scipy.stats import betabinom

    n, m = len(p_values), held_out
    places = np.where(np.isnan(p_values), 1, np.rint(p_values * (m + 1)))
    found = [1.0]
    for level in LEVELS:
        r = int(level * (m + 1) + 1e-9)
        if r:
            found.append(len(LEVELS) * float(betabinom.sf(np.sum(places <= r) - 1, n, r, m + 1 - r)))
    return min(found)
