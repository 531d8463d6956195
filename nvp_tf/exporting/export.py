"""A version of an export: written beside, held against the flow, then put in its place."""

import os
import platform
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.split import DataSet
from nvp_tf.evaluation.evaluator import Evaluator, reference_of
from nvp_tf.evaluation.reference import Reference
from nvp_tf.evaluation.usual import usual_bits
from nvp_tf.exporting import gate
from nvp_tf.exporting.half import in_half_precision
from nvp_tf.exporting.live import Live
from nvp_tf.exporting.page import material
from nvp_tf.exporting.serving import ServingBundle
from nvp_tf.exporting.signatures import Signatures
from nvp_tf.files import PARTIAL, json_text, put_in_place, write_text
from nvp_tf.models.flow import Flow
from nvp_tf.models.scales import left_at
from nvp_tf.runs.provenance import provenance
from nvp_tf.scoring.contract import BATCH, next_version


def export(
    flow: Flow,
    export_dir: str | Path,
    examples: np.ndarray,
    reference: Reference,
    about: dict[str, Any] | None = None,
    tflite: bool = True,
    halves: bool = False,
) -> dict[str, Any]:
    """Writes export_dir/<next version>, whole or not at all, once it answers as the flow does.

    Args:
      flow: a `Flow`.
      export_dir: the model's folder; earlier versions in it are not touched.
      examples: held-out [n, *event_shape], on which the export is held against the flow.
      reference: what `score` and `explain` hold an example against.
      about: what else export.json shall say.
      tflite: whether to write the files for phones, too.
      halves: whether the flow is one `in_half_precision`.

    Returns:
      What is in export.json, and path: the new version's folder.

    Raises:
      UserError: an answer that differs from the flow's by more than its bound (`gate.check`).
    """
    folder, live = Path(export_dir), Live(flow, examples)

    def fill(partial: Path) -> dict[str, Any]:
        signatures = Signatures(flow, reference)
        signatures.save(partial)
        with ThreadPoolExecutor() as beside:  # a process that is waited for, which takes as long as the other files
            asked = beside.submit(gate.answers_of, partial, live.x, flow.event)
            if tflite:
                from nvp_tf.exporting import lite, lite_gate  # they load the quantizer

                single = flow.in_single_precision()
                files = lite.write(signatures if single is flow else Signatures(single, reference), partial, halves)
            figures = _model(flow, reference) | gate.check(live, reference, asked.result())
        if tflite:
            of_files = live if single is flow else Live(single, live.x[:BATCH])
            figures["tflite"] = lite_gate.check(of_files, reference, partial, files)
            if flow.event.is_image:
                material.write(partial, reference.scores.numbers, live.x, left_at(flow))
        return (about or {}) | figures

    return new_version(folder, fill, ServingBundle(folder, live.x, flow.event))


def new_version(export_dir: Path, fill: Callable[[Path], dict[str, Any]], bundle: ServingBundle) -> dict[str, Any]:
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
        number = next_version(export_dir)
        figures = {"version": number} | figures | {"versions": _versions("tflite" in figures)}
        write_text(partial / "export.json", json_text(figures, indent=2) + "\n")
        put_in_place(partial, export_dir / str(number))
        bundle.write_beside(number)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return {"path": str(export_dir / str(number))} | figures


def export_with(
    flow: Flow,
    dataset: DataSet,
    export_dir: str | Path,
    examples: int = 1000,
    about: dict[str, Any] | None = None,
    tflite: bool = True,
    float16: bool = False,
) -> dict[str, Any]:
    """`export`, checked on the first `examples` of a data set's test split, with the `Reference.of` its others.

    float16: whether the kernels are rounded first (`in_half_precision`); export.json then says what that costs.
    """
    of_data = {"data": dataset.name} | ({"columns": list(dataset.event.columns)} if dataset.event.columns else {})
    about = of_data | (about or {})
    if float16:
        exact, flow = flow, in_half_precision(flow)
        unit = "bits_per_dim" if flow.event.is_image else "log_prob"
        about["float16"] = {
            name: Evaluator(each).evaluate(dataset.test, limit=examples)[unit]
            for name, each in ((f"{unit}_before", exact), (unit, flow))
        }
    held_out = np.concatenate(list(evaluation_batches(dataset.test, 100, examples)))
    reference = reference_of(flow, dataset, usual_bits(flow.explain, dataset.valid))
    return export(flow, export_dir, held_out, reference, about, tflite, float16)


def _model(flow: Flow, reference: Reference) -> dict[str, Any]:
    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "event_shape": list(flow.event.shape),
        "levels": flow.event.levels,
        "dtype": flow.event.dtype.name,
        "prior": type(flow.prior).__name__.lower(),
        "parameters": flow.parameters,
        "reference_scores": len(reference.scores),
    }


def _versions(tflite: bool) -> dict[str, str | None]:
    packages = ("tensorflow", "keras", "numpy", *(["ai-edge-litert"] if tflite else []))
    return provenance() | {"python": platform.python_version()} | {name: version(name) for name in packages}


def _remove_leftovers(export_dir: Path) -> None:
    """What exports that were killed left behind; one that still runs keeps its own."""
    for folder in export_dir.glob(f"{PARTIAL}*"):
        pid = folder.name.removeprefix(PARTIAL)
        if pid.isdigit() and not _runs(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(pid: int) -> bool:
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
