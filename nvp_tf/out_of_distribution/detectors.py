"""Rules that call an image foreign, each with a p-value against held-out images, and how well they do.

    log_prob            low is foreign
    typicality          both ends of log_prob are, by their rank among held-out ones (`evaluation/reference.py`)
    S COMPRESSOR        S = -log2 p(x) - L(x), high is foreign (`complexity.py`)
    S COMPRESSOR, both  both ends of S are
    either              typicality or S webp: min(1, 2 min(p, p')), the two at half the level each

Every p-value of a single score is conformal: an image exchangeable with the held-out ones has p <= a with
probability at most a. The distance of `percentile` from 50 is no rule of its own: it orders as typicality does.
"""

from dataclasses import dataclass

import numpy as np

from nvp_tf.evaluation.reference import Reference
from nvp_tf.out_of_distribution.complexity import LENGTHS, complexity_score

LEVEL = 0.05  # An image with a smaller p-value is called foreign.
GROUP = 10  # images, that are told from the run's own together
GROUPS = f"groups of {GROUP}"
BEST = "webp"  # the compressor of `either`
_DRAWN = 2000  # groups of held-out images, that others are held against


@dataclass(frozen=True)
class Scored:
    """Images with what a model and compressors say of them.

    images: uint8 [n, height, width, channels].
    log_prob: float64 [n], nats.
    lengths: {compressor: float64 [n] bits}.
    """

    images: np.ndarray
    log_prob: np.ndarray
    lengths: dict[str, np.ndarray]

    def complexity_score(self, compressor: str) -> np.ndarray:
        return complexity_score(self.log_prob, self.lengths[compressor])


def auroc(own: np.ndarray, foreign: np.ndarray) -> float:
    """P(suspicion of a foreign image > that of an own one) + P(the same) / 2. NaN is most suspicious."""
    from sklearn.metrics import roc_auc_score

    # By ranks, which are finite where suspicions are not.
    _, ranks = np.unique(np.concatenate([own, foreign]), return_inverse=True)
    return float(roc_auc_score(np.repeat([0, 1], [len(own), len(foreign)]), ranks))


def upper_tail(held_out: np.ndarray, score: np.ndarray) -> np.ndarray:
    """p = (1 + #{s_i >= s}) / (m + 1), [n]: the one-sided conformal p-value of high scores."""
    below = np.searchsorted(np.sort(held_out), score, side="left")
    return (1 + len(held_out) - below) / (len(held_out) + 1)


def _typicality(reference: Reference, score: np.ndarray) -> np.ndarray:
    """[n]; an image that the model has no score for, only nan, is none of its own."""
    return np.nan_to_num(reference.typicality(score.astype(np.float32)).numpy(), nan=0.0)


class Detectors:
    """The rules, calibrated on held-out images.

    Args:
      held_out: `Scored` images of the run's validation split.
      seed: of the groups that are drawn.
    """

    def __init__(self, held_out: Scored, seed: int = 0) -> None:
        self.held_out = held_out
        self.reference = Reference(held_out.log_prob)
        self._of_complexity = {name: Reference(held_out.complexity_score(name)) for name in LENGTHS}
        drawn = np.random.default_rng(seed).choice(held_out.log_prob, (_DRAWN, GROUP))
        self._drawn = self._distance(drawn)

    def p_values(self, scored: Scored) -> dict[str, np.ndarray]:
        """{rule: [n]}; small is foreign."""
        held_out = self.held_out
        p = {
            "log_prob": upper_tail(-held_out.log_prob, -scored.log_prob),
            "typicality": _typicality(self.reference, scored.log_prob),
        }
        for name, reference in self._of_complexity.items():
            score = scored.complexity_score(name)
            p[f"S {name}"] = upper_tail(held_out.complexity_score(name), score)
            p[f"S {name}, both"] = _typicality(reference, score)
        p["either"] = np.minimum(1, 2 * np.minimum(p["typicality"], p[f"S {BEST}"]))
        return p

    def suspicions(self, scored: Scored) -> dict[str, np.ndarray]:
        """{rule: [n]}; large is foreign: the score where one end of it is, minus the p-value where both are."""
        one_ended = {f"S {name}": scored.complexity_score(name) for name in LENGTHS} | {"log_prob": -scored.log_prob}
        return {rule: one_ended.get(rule, -p) for rule, p in self.p_values(scored).items()}

    def group_suspicions(self, scored: Scored, seed: int = 0) -> np.ndarray:
        """|mean log_prob of a group - that of held-out images|, [n // 10] nats (Nalisnick et al. 2019b)."""
        order = np.random.default_rng(seed).permutation(len(scored.log_prob))
        groups = len(order) // GROUP
        return self._distance(scored.log_prob[order[: groups * GROUP]].reshape(groups, GROUP))

    def group_p_values(self, scored: Scored, seed: int = 0) -> np.ndarray:
        """[n // 10], against groups drawn from held-out images with replacement: a bootstrap, nothing exact."""
        return upper_tail(self._drawn, self.group_suspicions(scored, seed))

    def _distance(self, groups: np.ndarray) -> np.ndarray:
        return np.abs(groups.mean(axis=1) - self.held_out.log_prob.mean())


def compare(detectors: Detectors, own: Scored, foreign: Scored) -> dict[str, dict[str, float | None]]:
    """How well each rule tells `foreign` from `own`.

    Returns:
      {"auroc": {rule: ...}, "caught": {rule: share of the foreign with a p-value below 0.05}}; the rule
      "groups of 10" is None for fewer images than that.
    """
    ours, theirs = detectors.suspicions(own), detectors.suspicions(foreign)
    aurocs: dict[str, float | None] = {rule: auroc(ours[rule], theirs[rule]) for rule in ours}
    caught: dict[str, float | None] = {
        rule: float(np.mean(p < LEVEL)) for rule, p in detectors.p_values(foreign).items()
    }
    our_groups, their_groups = detectors.group_suspicions(own), detectors.group_suspicions(foreign)
    some = len(our_groups) and len(their_groups)
    aurocs[GROUPS] = auroc(our_groups, their_groups) if some else None
    caught[GROUPS] = float(np.mean(detectors.group_p_values(foreign) < LEVEL)) if some else None
    return {"auroc": aurocs, "caught": caught}
