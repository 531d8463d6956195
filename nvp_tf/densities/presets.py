"""Named settings of families, as presets are of flows. Listing them loads no TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DensityPreset:
    """A family with settings and the data that they are for.

    settings: those that are not the family's defaults.
    source: what they follow.
    measured: what it scored here on the test split, as in RESULTS.md.
    """

    family: str
    data: str
    settings: Mapping[str, Any]
    source: str
    measured: str


DENSITY_PRESETS = {
    "pixelcnn_fashion_mnist": DensityPreset(
        "pixelcnn",
        "fashion_mnist",
        {"batch_size": 16},
        "Gated PixelCNN (van den Oord et al. 2016), discretized logistics (Salimans et al. 2017), for two cores",
        "3.062 ± 0.009 bits/dim, exact, after 3,000 steps",
    ),
}
