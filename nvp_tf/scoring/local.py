"""Who answers in this process: LiteRT where an export has a file for it, TensorFlow otherwise."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from nvp_tf import cli
from nvp_tf.errors import UserError
from nvp_tf.scoring.contract import AUTO, LITERT, SAVED_MODEL, newest_version, recorded
from nvp_tf.scoring.lite import FILE, LiteModel
from nvp_tf.scoring.saved_model import SavedModel


def open_export(model: str | Path, engine: str = AUTO) -> SavedModel | LiteModel:
    """An export's newest version.

    LiteRT starts in a fifth of a second, TensorFlow in several; the bound between the two is told on stderr.

    Args:
      model: saved_models/NAME or saved_models/NAME/VERSION.
      engine: one of `contract.ENGINES`.

    Raises:
      UserError: no export, a damaged one, or one of which LiteRT is asked for and cannot be.
    """
    folder = newest_version(model)
    about = recorded(folder)
    why = _why_not(folder, about)
    if engine == LITERT and why:
        raise UserError(f"engine is {LITERT}, and {why}")
    if engine == SAVED_MODEL or why:
        cli.quiet_tensorflow()
        return SavedModel(folder)
    if gap := about.get("tflite", {}).get(FILE, {}).get("largest_log_prob_difference"):
        print(f"LiteRT answers, within {gap:.1g} nats of --engine={SAVED_MODEL} on held-out data", file=sys.stderr)
    return LiteModel(folder, about)


def _why_not(folder: Path, about: dict[str, Any]) -> str:
    """Why LiteRT cannot answer; empty where it can."""
    if not (folder / FILE).is_file():
        return f"{folder} has no {FILE}"
    if importlib.util.find_spec("ai_edge_litert") is None:
        return "ai_edge_litert is not installed"
    if about.get("dtype") == "float64":
        return f"{folder} takes float64, which its {FILE} does not"
    return ""
