"""Named runs: each a frozen Config, with where it comes from and the score to expect."""

from nvp_tf.config.presets.nice import TABLE_5_1
from nvp_tf.config.presets.preset import Preset, Published
from nvp_tf.config.presets.real_nvp import TABLE_5_2
from nvp_tf.config.presets.small import SMALL
from nvp_tf.errors import UserError

__all__ = ["PRESETS", "SMALL", "TABLE_5_1", "TABLE_5_2", "Preset", "Published", "get_preset"]

PRESETS = SMALL | TABLE_5_1 | TABLE_5_2


def get_preset(name: str) -> Preset:
    """The preset of that name. Raises UserError, with all names, for another."""
    if name not in PRESETS:
        raise UserError(f"preset is {name!r}, expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
