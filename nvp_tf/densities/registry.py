"""The families by name. Listing them loads no TensorFlow."""

from typing import TYPE_CHECKING

from nvp_tf.config.registry import load
from nvp_tf.errors import UserError

if TYPE_CHECKING:
    from nvp_tf.densities.contract import Density

_HOMES = {
    "mixture_diagonal": "mixture:DiagonalMixture",
    "mixture_full": "mixture:FullMixture",
    "mixture_factors": "factor_analysers:FactorMixture",
    "made": "autoregressive:MadeDensity",
    "maf": "maf:MafDensity",
    "iaf": "maf:IafDensity",
    "pixelcnn": "pixelcnn:PixelCnnDensity",
    "flow": "flow:FlowDensity",
    "vae": "vae_density:VaeDensity",
    "contrastive": "contrastive:Contrastive",
}


def names() -> list[str]:
    """Every family, in the order of the table."""
    return list(_HOMES)


def get(name: str) -> "type[Density]":
    """The subclass of `Density`. Raises UserError, with all names, for another."""
    if name not in _HOMES:
        raise UserError(f"family is {name!r}, expected one of {', '.join(_HOMES)}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(load("nvp_tf.densities", module), attribute)
