"""Named runs: each a frozen Config, with where it comes from and the score to expect."""

from nvp_tf.errors import UserError
from nvp_tf.presets.nice import TABLE_5_1
from nvp_tf.presets.preset import Preset, Published
from nvp_tf.presets.real_nvp import TABLE_5_2
from nvp_tf.presets.small import SMALL

__all__ = ["PRESETS", "SMALL", "TABLE_5_1", "TABLE_5_2", "Preset", "Published", "get"]

PRESETS = SMALL | TABLE_5_1 | TABLE_5_2


def get(name: str) -> Preset:
    """The preset of that name. Raises UserError, with all names, for another."""
    if name not in PRESETS:
        raise UserError(f"preset is {name!r}, expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
