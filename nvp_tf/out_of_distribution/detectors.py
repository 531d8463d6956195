"""Rules that call an image foreign, each with a p-value against held-out images, and how well they do.

    log_prob      low is foreign
    typicality    both ends of log_prob are, by their rank among held-out ones (`evaluation/reference.py`)
    foreign       what `score` answers: far from the data in a few statistics together (`evaluation/foreign.py`)
    S webp        S = -log2 p(x) - L(x), high is foreign (`complexity.py`)
    groups of 10  ten images at once, by their `foreign` (`scoring/groups.py`)

Every p-value is conformal: an image exchangeable with the held-out ones has p <= a with probability at most a. The
distance of `percentile` from 50 is no rule of its own: it orders as typicality does.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from nvp_tf.evaluation.reference import Reference
from nvp_tf.out_of_distribution.complexity import complexity_score
from nvp_tf.scoring.groups import changed

LEVEL = 0.05  # An image with a smaller p-value is called foreign.
GROUP = 10  # images, that are told from the run's own together
GROUPS = f"groups of {GROUP}"
RULES = ("log_prob", "typicality", "foreign", "S webp", GROUPS)


@dataclass(frozen=True)
class Scored:
    """Images with what a model and a compressor say of them.

    images: uint8 [n, height, width, channels].
    log_prob: float64 [n], nats.
    webp: float64 [n], bits.
    """

    images: np.ndarray
    log_prob: np.ndarray
    webp: np.ndarray

    @property
    def complexity_score(self) -> np.ndarray:
        return complexity_score(self.log_prob, self.webp)


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


class Detectors:
    """The rules, calibrated on held-out images.

    Args:
      held_out: `Scored` images of the run's validation split.
      reference: the run's `Reference`, of the same.
    """

    def __init__(self, held_out: Scored, reference: Reference) -> None:
        self.held_out, self.reference = held_out, reference

    def ranks(self, scored: Scored) -> dict[str, np.ndarray]:
        """percentile, typicality and foreign, [n]; nan for an image without a score."""
        log_prob = tf.constant(scored.log_prob, tf.float32)
        return {name: value.numpy() for name, value in self.reference.ranks(scored.images, log_prob).items()}

    def p_values(self, scored: Scored) -> dict[str, np.ndarray]:
        """{rule: [n]}, of all but the one of groups; small is foreign. An image without a score has 0."""
        ranks = {name: np.nan_to_num(value, nan=0.0) for name, value in self.ranks(scored).items()}
        return {
            "log_prob": upper_tail(-self.held_out.log_prob, -scored.log_prob),
            "typicality": ranks["typicality"],
            "foreign": ranks["foreign"],
            "S webp": upper_tail(self.held_out.complexity_score, scored.complexity_score),
        }

    def suspicions(self, scored: Scored) -> dict[str, np.ndarray]:
        """{rule: [n]}; large is foreign: the score where one end of it is, minus the p-value where that is the rule."""
        one_ended = {"log_prob": -scored.log_prob, "S webp": scored.complexity_score}
        return {rule: one_ended.get(rule, -p) for rule, p in self.p_values(scored).items()}

    def group_p_values(self, scored: Scored, seed: int = 0) -> np.ndarray:
        """[n // 10], of images grouped at random."""
        p = self.ranks(scored)["foreign"]
        order = np.random.default_rng(seed).permutation(len(p))
        groups = p[order[: len(p) // GROUP * GROUP]].reshape(-1, GROUP)
        return np.array([changed(group, len(self.reference.scores)) for group in groups])


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
    our_groups, their_groups = detectors.group_p_values(own), detectors.group_p_values(foreign)
    some = len(our_groups) and len(their_groups)
    aurocs[GROUPS] = auroc(-our_groups, -their_groups) if some else None
    caught[GROUPS] = float(np.mean(their_groups < LEVEL)) if some else None
    return {"auroc": aurocs, "caught": caught}
