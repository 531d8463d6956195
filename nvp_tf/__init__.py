"""Exact densities over images: NICE and Real NVP, trained, exported and served.

Names are imported at first use, so that `import nvp_tf` and every `--help` cost no TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what a type checker sees of them
    from nvp_tf.api import evaluate as evaluate
    from nvp_tf.api import export as export
    from nvp_tf.api import load as load
    from nvp_tf.api import preset as preset
    from nvp_tf.api import reference as reference
    from nvp_tf.api import train as train
    from nvp_tf.data.arrays import from_arrays as from_arrays
    from nvp_tf.models.build import build as build
    from nvp_tf.models.fixed_flow import fixed as fixed
    from nvp_tf.models.flow import Flow as Flow
    from nvp_tf.models.tfp_views import as_bijector as as_bijector
    from nvp_tf.models.tfp_views import as_distribution as as_distribution

__version__ = "0.1.0"

_HOMES = {
    "Flow": "nvp_tf.models.build",  # which imports every layer: Keras can then load what is made of them
    "as_bijector": "nvp_tf.models.tfp_views",
    "as_distribution": "nvp_tf.models.tfp_views",
    "build": "nvp_tf.models.build",
    "evaluate": "nvp_tf.api",
    "export": "nvp_tf.api",
    "fixed": "nvp_tf.models.fixed_flow",
    "from_arrays": "nvp_tf.data.arrays",
    "load": "nvp_tf.api",
    "preset": "nvp_tf.api",
    "reference": "nvp_tf.api",
    "train": "nvp_tf.api",
}

__all__ = sorted(_HOMES)


if not TYPE_CHECKING:  # to which any name would be one

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"nvp_tf has no {name!r}, it has {', '.join(__all__)}")
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
