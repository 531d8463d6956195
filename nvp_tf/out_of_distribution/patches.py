"""A patch of another data set in an image, and how well a map over the image finds it."""

from dataclasses import dataclass

import numpy as np

from nvp_tf.evaluation.usual import usual_bits
from nvp_tf.out_of_distribution import sets
from nvp_tf.out_of_distribution.detectors import auroc
from nvp_tf.runs.source import Source

_SHARE = 1 / 3  # of the smaller side of the image
BLUR = 1.0  # pixels, of a Gaussian; chosen on digits (docs/explain.md)
BITS, EXCESS = "bits", "excess"
SMOOTHED_BITS, SMOOTHED_EXCESS = "smoothed bits", "smoothed excess"


@dataclass(frozen=True)
class Patched:
    """Held-out images, the same ones with a patch, and what each says of its pixels.

    images, patched: uint8 [n, height, width, channels].
    patch: bool [n, height, width], where it is.
    maps, patched_maps: {BITS, EXCESS, SMOOTHED_BITS, SMOOTHED_EXCESS: [n, height, width] bits}.
    kinds: [n], the data set that the patch is of.
    """

    images: np.ndarray
    patched: np.ndarray
    patch: np.ndarray
    maps: dict[str, np.ndarray]
    patched_maps: dict[str, np.ndarray]
    kinds: np.ndarray

    def aurocs(self) -> dict[str, dict[str, float]]:
        """{data set, or "all": {map: AUROC of a pixel of the patch against all others of the same images}}."""
        rows = {"all": np.ones(len(self.kinds), bool)} | {kind: self.kinds == kind for kind in np.unique(self.kinds)}
        return {
            str(kind): {
                name: auroc(values[chosen][~self.patch[chosen]], values[chosen][self.patch[chosen]])
                for name, values in self.patched_maps.items()
            }
            for kind, chosen in rows.items()
        }


def measure(source: Source, num: int) -> Patched:
    """Patches of the other data sets that are here, in turn, in `num` held-out images at random places."""
    images = source.examples(num)
    found, _, _ = sets.other_data_sets(source, num)
    others = {name: each for name, each in found.items() if not name.endswith(sets.IN_A_MARGIN)}
    kinds = np.resize(list(others), len(images))
    foreign = np.stack([others[kind][i % len(others[kind])] for i, kind in enumerate(kinds)])
    patched, patch = paste(images, foreign, source.seed)
    usual = usual_bits(source.explain, source.dataset.valid)
    return Patched(images, patched, patch, _maps(source, images, usual), _maps(source, patched, usual), kinds)


def paste(images: np.ndarray, foreign: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(the images with a square of a third of their side from anywhere in a foreign one, where it is [n, H, W])."""
    n, height, width, _ = images.shape
    side = max(1, round(_SHARE * min(height, width)))
    rng = np.random.default_rng(seed)
    to_top, from_top = rng.integers(0, height - side + 1, (2, n))
    to_left, from_left = rng.integers(0, width - side + 1, (2, n))
    patched, patch = images.copy(), np.zeros((n, height, width), bool)
    for i in range(n):
        to = np.s_[i, to_top[i] : to_top[i] + side, to_left[i] : to_left[i] + side]
        patched[to] = foreign[i, from_top[i] : from_top[i] + side, from_left[i] : from_left[i] + side]
        patch[to] = True
    return patched, patch


def _maps(source: Source, images: np.ndarray, usual: np.ndarray) -> dict[str, np.ndarray]:
    from scipy.ndimage import gaussian_filter

    bits = source.explain(images)
    excess = bits - usual
    smoothed = {
        name: gaussian_filter(values, (0, BLUR, BLUR))
        for name, values in ((SMOOTHED_BITS, bits), (SMOOTHED_EXCESS, excess))
    }
    return {BITS: bits, EXCESS: excess} | smoothed
