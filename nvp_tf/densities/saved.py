"""A density as a folder that it can be rebuilt from, like a run's: nothing in it is code.

config.json        the family, its domain, its settings, seed of the initial weights and dtype
best.weights.h5    the weights
metadata.json      versions, parameters, and what the caller adds: the fit, the scores
"""

import dataclasses
import json
import platform
import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from nvp_tf.config.codec import decode, encode
from nvp_tf.densities import registry
from nvp_tf.densities.contract import Density, Domain
from nvp_tf.errors import UserError
from nvp_tf.files import write_text
from nvp_tf.runs.run_dir import load_weights, save_weights

CONFIG, WEIGHTS, METADATA = "config.json", "best.weights.h5", "metadata.json"


def save(density: Density, folder: str | Path, about: dict | None = None) -> None:
    """Writes the folder, config.json last: a folder with it is whole.

    Args:
      about: what else metadata.json shall say.
    """
    folder = Path(folder)
    versions = {"python": platform.python_version(), "tensorflow": tf.__version__, "keras": keras.__version__}
    made = {"parameters": density.parameters, "kind": density.kind, "how": density.how}
    metadata = made | (about or {}) | {"versions": versions, "created": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    config = {
        "family": density.family,
        "domain": dataclasses.asdict(density.domain),
        "settings": encode(density.settings),
        "seed": density.seed,
        "dtype": density.dtype,
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(density.model, folder / WEIGHTS)
    write_text(folder / METADATA, json.dumps(metadata, indent=2) + "\n")
    write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")


def load(folder: str | Path) -> Density:
    """The density of a folder that `save` wrote.

    Raises:
      UserError: a folder that is missing, of something else, half-written or corrupt.
    """
    file = Path(folder) / CONFIG
    if not file.is_file():
        raise UserError(f"{folder} is not a density: it has no {CONFIG}")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        family = registry.get(config["family"])
        settings = decode(family.Settings, config["settings"], "settings")
        parts: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config["domain"].items()}
        density = family(Domain(**parts), settings, config["seed"], config["dtype"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file} is corrupt or of something else: {error}") from None
    load_weights(density.model, Path(folder) / WEIGHTS)
    return density


def metadata(folder: str | Path) -> dict:
    """What `save` was told beside the density."""
    return json.loads((Path(folder) / METADATA).read_text(encoding="utf-8"))
