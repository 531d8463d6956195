"""A run as a SavedModel: raw values at both ends, and no package of ours needed to load it.

    log_prob          images uint8 [n, H, W, C]  ->  log_prob float32 [n], bits_per_dim float32 [n]
    serving_default   the same
    encode            images                     ->  latents float32 [n, D]
    decode            latents                    ->  images; decode(encode(x)) == x
    sample            num_samples int32 [], seed int64 [], temperature float32 []  ->  images

Vectors: x float32 [n, D] in the place of images, and no bits_per_dim.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.files import PARTIAL
from nvp_tf.objectives import bits_per_dim

LOG_PROB_BOUND = 1e-3  # nats an example, SavedModel against live model


class Served(tf.Module):
    """The signatures of one flow, each a graph over its weights."""

    def __init__(self, flow):
        super().__init__()
        self.flow = flow
        # Keras 3 variables are not tf.Variables: a SavedModel owns what it finds in an attribute.
        self.owned = [weight.value for weight in flow.variables]
        self.name_of_values = "images" if flow.pixels is not None else "x"
        dtype = tf.uint8 if flow.pixels is not None else tf.float32
        self.values = tf.TensorSpec((None, *flow.event_shape), dtype, self.name_of_values)
        self.latents = tf.TensorSpec((None, flow.dimensions), tf.float32, "latents")

    def signatures(self) -> dict:
        log_prob = tf.function(self._log_prob, [self.values])
        arguments = (("num_samples", tf.int32), ("seed", tf.int64), ("temperature", tf.float32))
        return {
            "serving_default": log_prob,
            "log_prob": log_prob,
            "encode": tf.function(self._encode, [self.values]),
            "decode": tf.function(self._decode, [self.latents]),
            "sample": tf.function(self._sample, [tf.TensorSpec((), dtype, name) for name, dtype in arguments]),
        }

    def _log_prob(self, values):
        log_prob = _also_empty(self.flow.log_prob, values)
        if self.flow.pixels is None:
            return {"log_prob": log_prob}
        return {"log_prob": log_prob, "bits_per_dim": bits_per_dim(log_prob, self.flow.dimensions)}

    def _encode(self, values):
        return {"latents": _also_empty(self.flow.encode, values)}

    def _decode(self, latents):
        return {self.name_of_values: _also_empty(self.flow.decode, latents)}

    def _sample(self, num_samples, seed, temperature):
        latents = self.flow.sample_latents(num_samples, seed, temperature)
        return self._decode(latents)


def export(flow, export_dir, check) -> dict:
    """Writes export_dir/<next version>, whole or not at all, once it answers as the flow does.

    Args:
      flow: a `Flow`.
      export_dir: the model's folder; earlier versions in it are not touched.
      check: held-out examples, [n, *event_shape], on which the SavedModel is held against the flow.

    Returns:
      A dict of path, version, size_bytes, and over the examples the largest log_prob_difference
      (nats) and round_trip_error (of decode(encode(x)), in levels; in units of x for vectors).

    Raises:
      UserError: an answer that differs by more than LOG_PROB_BOUND, or an integer that does not come back.
    """
    export_dir = Path(export_dir)
    export_dir.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(export_dir)
    partial = export_dir / f"{PARTIAL}{os.getpid()}"
    try:
        served = Served(flow)
        tf.saved_model.save(served, str(partial), signatures=served.signatures())
        figures = _compare(flow, tf.saved_model.load(str(partial)).signatures, served.name_of_values, check)
        version = 1 + max((int(p.name) for p in export_dir.iterdir() if p.name.isdigit()), default=0)
        partial.rename(export_dir / str(version))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    path = export_dir / str(version)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return {"path": str(path), "version": version, "size_bytes": size} | figures


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


def _compare(flow, signatures, name, x) -> dict:
    x = tf.convert_to_tensor(x)
    served = signatures["log_prob"](**{name: x})["log_prob"].numpy()
    difference = float(np.abs(served - flow.log_prob(x).numpy()).max())
    decoded = signatures["decode"](latents=signatures["encode"](**{name: x})["latents"])[name].numpy()
    round_trip = float(np.abs(decoded.astype(np.float64) - x.numpy()).max())
    if not difference <= LOG_PROB_BOUND:
        raise UserError(
            f"the SavedModel's log_prob differs by {difference:g} nats, expected at most {LOG_PROB_BOUND:g}"
        )
    if flow.pixels is not None and round_trip:
        raise UserError(f"decode(encode(x)) differs by {round_trip:g} levels, expected none")
    return {"log_prob_difference": difference, "round_trip_error": round_trip, "checked_examples": len(x)}


def _also_empty(function, values):
    """function(values), for a batch of 0 too, which oneDNN's convolution answers with a wrong shape."""
    shape = values.shape
    values = tf.ensure_shape(values, shape)  # says what was expected; a signature checks the dtype only
    n = tf.shape(values)[0]
    paddings = [[0, tf.cast(n == 0, tf.int32)]] + [[0, 0]] * (shape.rank - 1)
    return function(tf.ensure_shape(tf.pad(values, paddings), shape))[:n]
