"""The engines that an export runs in: their environment, what they read, and the data they are asked about."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.process import ROOT
from nvp_tf.errors import UserError

PYTHON = ROOT / ".venv-engines" / "bin" / "python"
SETUP = "bin/setup engines"
PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "openvino", "onnxruntime", "tf2onnx")


def pythons() -> list:
    """The interpreters of the environments that are there."""
    return [sys.executable, *([PYTHON] if PYTHON.exists() else [])]


def to_onnx(saved_model, signature, file) -> Path:
    """Converts one signature of a SavedModel.

    Raises:
      UserError: what tf2onnx says of operations that ONNX does not have.
    """
    line = [PYTHON, "-P", "-m", "tf2onnx.convert", "--saved-model", saved_model, "--signature_def", signature]
    done = subprocess.run([*line, "--opset", "18", "--output", file], capture_output=True, text=True)
    # It writes the file and ends with status 0 all the same.
    unsupported = [line for line in done.stderr.splitlines() if "Unsupported ops" in line]
    if done.returncode or unsupported:
        said = unsupported or done.stderr.strip().splitlines()
        raise UserError(f"tf2onnx: {said[-1].rpartition(' - ')[2]}")
    return Path(file)


def held_out(run_dir, n) -> np.ndarray:
    """The first n of the run's test split, again from the start where it has fewer."""
    from nvp_tf import cli

    cli.quiet_tensorflow()
    from nvp_tf.data.pipeline import evaluation_batches
    from nvp_tf.data.registry import load_dataset
    from nvp_tf.runs.run_dir import RunDir

    split = load_dataset(RunDir(run_dir).config.data).test
    x = np.concatenate(list(evaluation_batches(split, n, n)))
    return np.resize(x, (n, *x.shape[1:]))


def name_of(x) -> str:
    """The name that the signatures have for such data."""
    return "images" if x.dtype == np.uint8 else "x"
