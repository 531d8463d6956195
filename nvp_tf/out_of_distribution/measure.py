"""What a score means, measured: how well a run's scores tell its own test images from others."""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.evaluation.reference import MOST, Reference, some
from nvp_tf.models.objectives import bits_per_dim
from nvp_tf.out_of_distribution import sets
from nvp_tf.out_of_distribution.complexity import lengths
from nvp_tf.out_of_distribution.detectors import Detectors, Scored, compare
from nvp_tf.pictures.files import PassedOver
from nvp_tf.runs.source import Source

OWN, HELD_OUT = "its test images", "its validation images"


@dataclass(frozen=True)
class Measurement:
    """A run's scores of its own and of other images.

    detectors: calibrated on all of the validation split.
    scored: {set: Scored}, the test images first.
    skipped: {data set: why it is not among them}.
    passed: files of the folders that are among no images.
    """

    detectors: Detectors
    scored: dict[str, Scored]
    skipped: dict[str, str]
    passed: PassedOver
    levels: int

    @property
    def dimensions(self) -> int:
        return self.scored[OWN].images[0].size

    @functools.cached_property
    def figures(self) -> dict[str, dict[str, Any]]:
        """{set: means, medians, and how well each rule tells it from the test images}."""
        return {name: self._figures(name) for name in self.scored}

    def _figures(self, name: str) -> dict[str, Any]:
        scored = self.scored[name]
        ranks = {rank: float(np.median(value)) for rank, value in self.detectors.ranks(scored).items()}
        return {
            "images": len(scored.images),
            "log_prob": float(scored.log_prob.mean()),
            "bits_per_dim": float(bits_per_dim(scored.log_prob.mean(), self.dimensions)),
            "bits_per_dim_median": float(bits_per_dim(np.median(scored.log_prob), self.dimensions)),
            "webp": float(scored.webp.mean() / self.dimensions),
            **ranks,
            **compare(self.detectors, self.scored[OWN], scored),
        }


def measure(
    source: Source,
    num: int = 1000,
    also: Sequence[str] = (),
    folders: Sequence[str] = (),
    wrap: Callable[[list[str]], Iterable[str]] = lambda names: names,
) -> Measurement:
    """Scores everything that there is to hold against a run's test images, and them.

    Args:
      source: the run.
      num: images of each set; fewer where there are fewer.
      also, folders: as `sets.other_data_sets` takes them.
      wrap: gives the names of the sets as they are scored.

    Raises:
      UserError: a run on vectors, or on images of neither 1 nor 3 channels.
    """
    source.need_images("out_of_distribution")
    channels = source.config.model.event_shape[-1]
    if channels not in (1, 3):
        raise UserError(f"the run's images have {channels} channels, expected 1 or 3, as WebP takes them")
    test = source.examples(num)
    others, skipped, passed = sets.other_data_sets(source, num, also, folders)
    images = {
        OWN: test,
        **sets.own(source, len(test)),
        **others,
        **sets.made(test, source.levels, source.seed),
        **sets.altered(test, source.levels, source.seed),
    }
    reference = Reference.of(source.dataset, source.log_prob)
    detectors = Detectors(_score(source, some(source.dataset.valid, MOST)), reference)
    scored = {name: _score(source, images[name]) for name in wrap(list(images))}
    return Measurement(detectors, scored, skipped, passed, source.levels)


def _score(source: Source, images: np.ndarray) -> Scored:
    return Scored(images, source.log_prob(images), lengths(images))
