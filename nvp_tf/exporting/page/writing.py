"""The folder of a page, written whole or not at all."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from nvp_tf import cli
from nvp_tf.errors import UserError
from nvp_tf.exporting.page import fixed_batch, material, runtime
from nvp_tf.files import PARTIAL, json_text, put_in_place
from nvp_tf.scoring.contract import newest_version, recorded
from nvp_tf.scoring.lite import FILE as SOURCE

STATIC, RUNTIME, ABOUT = Path(__file__).parent / "static", "runtime", "model.json"


def write(model: str | Path, out: str | Path, cache: Path) -> dict[str, Any]:
    """Writes a folder that any web server serves, in which the newest version of an export runs.

    Args:
      model: saved_models/NAME or saved_models/NAME/VERSION, of images.
      out: the folder; one that is a page already is written anew.
      cache: where LiteRT.js is kept.

    Returns:
      path: of the folder; size_bytes; serve: a command that serves it.

    Raises:
      UserError: no export of images, or one without what a page needs; a folder of something else; no LiteRT.js.
    """
    version, out = newest_version(model), Path(out)
    about = recorded(version)
    if about.get("levels") is None:
        raise UserError(f"{version} is not an export of images, expected one: vectors have no page")
    if out.exists() and not (out / ABOUT).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already and is no page, expected a new folder")
    if not (version / SOURCE).is_file():
        raise UserError(f"{version} has no {SOURCE}, expected an export that was made with --tflite")
    shown, scripts = material.read(version), runtime.kept(cache)
    partial = out.absolute().parent / f"{PARTIAL}{os.getpid()}-{out.name}"
    try:
        shutil.copytree(STATIC, partial)
        shutil.copytree(scripts, partial / RUNTIME, dirs_exist_ok=True)
        fixed_batch.write(version / SOURCE, partial / fixed_batch.FILE)
        with cli.silence():  # interpreters tell of their delegate
            fixed_batch.check(version / SOURCE, partial / fixed_batch.FILE, shown["examples"])
        (partial / ABOUT).write_text(json_text(_about(version, about, shown)), encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        put_in_place(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return {"path": str(out), "size_bytes": size, "serve": f"python3 -m http.server --directory {out}"}


def _about(version: Path, about: dict[str, Any], shown: dict[str, np.ndarray]) -> dict[str, Any]:
    shape = about["event_shape"]
    bits = -shown["log_prob"].astype(np.float64) / (np.prod(shape) * np.log(2))
    return {
        "name": version.parent.name if version.name.isdigit() else version.name,
        "version": about["version"],
        "created": about["created"],
        "data": about.get("data"),
        "shape": shape,
        "levels": about["levels"],
        "prior": about["prior"],
        "file": fixed_batch.FILE,
        "litertjs": runtime.VERSION,
        "bits_per_dim": np.sort(bits[np.isfinite(bits)]).round(4).tolist(),
        "examples": shown["examples"].reshape(len(shown["examples"]), -1).tolist(),
        "scales": shown["scales"].tolist(),
    }
