"""A version of an export: written beside, held against the flow, then put in its place."""

import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from nvp_tf.evaluation.reference import Reference
from nvp_tf.export import gate, lite, lite_gate
from nvp_tf.export.serving import ServingBundle
from nvp_tf.export.signatures import Signatures
from nvp_tf.files import PARTIAL
from nvp_tf.scoring.contract import next_version


def export(flow, export_dir, examples, held_out_scores, about=None, tflite=True) -> dict:
    """Writes export_dir/<next version>, whole or not at all, once it answers as the flow does.

    Args:
      flow: a `Flow`.
      export_dir: the model's folder; earlier versions in it are not touched.
      examples: held-out [n, *event_shape], on which the export is held against the flow.
      held_out_scores: log_prob of held-out data, nats, that `score` gives a percentile among.
      about: what else export.json shall say: a dict.
      tflite: whether to write the files for phones, too.

    Returns:
      What is in export.json, and path: the new version's folder.

    Raises:
      UserError: an answer that differs from the flow's by more than its bound (`gate.check`).
    """
    export_dir = Path(export_dir)

    def fill(partial):
        reference = Reference(held_out_scores)
        signatures = Signatures(flow, reference)
        signatures.save(partial)
        figures = _model(flow, reference) | gate.check(flow, reference, partial, examples)
        if tflite:
            lite.write(signatures, partial)
            figures["tflite"] = lite_gate.check(flow, reference, partial, examples)
        return (about or {}) | figures

    return new_version(export_dir, fill, ServingBundle(export_dir, examples, flow.event))


def new_version(export_dir: Path, fill: Callable[[Path], dict], bundle: ServingBundle) -> dict:
    """Adds a version to a model's folder, whole or not at all; the result of `export`.

    Args:
      fill: writes the SavedModel into a folder, checks it, and says what export.json shall say of it.
      bundle: what goes with it for TensorFlow Serving.
    """
    export_dir.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(export_dir)
    partial = export_dir / f"{PARTIAL}{os.getpid()}"
    try:
        figures = fill(partial)
        bundle.write_inside(partial)
        figures["size_bytes"] = sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())
        version = next_version(export_dir)
        figures = {"version": version} | figures | {"versions": _versions()}
        (partial / "export.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        partial.rename(export_dir / str(version))
        bundle.write_beside(version)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return {"path": str(export_dir / str(version))} | figures


def _model(flow, reference) -> dict:
    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "event_shape": list(flow.event.shape),
        "levels": flow.event.levels,
        "prior": type(flow.prior).__name__.lower(),
        "parameters": sum(int(tf.size(weight)) for weight in flow.trainable_variables),
        "reference_scores": len(reference.scores),
    }


def _versions() -> dict:
    import ai_edge_litert
    import keras
    import numpy

    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": numpy.__version__,
        "ai-edge-litert": ai_edge_litert.__version__,
    }


def _remove_leftovers(export_dir):
    """What exports that were killed left behind; one that still runs keeps its own."""
    for folder in export_dir.glob(f"{PARTIAL}*"):
        pid = folder.name.removeprefix(PARTIAL)
        if pid.isdigit() and not _runs(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(pid):
    """Whether another process of that number runs. In a container ours may have had the same."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True
