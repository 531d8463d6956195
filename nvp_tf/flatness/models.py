"""What is measured: a Keras file, a run's folder or a live model -> a float64 model, its loss, batches of data."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError, reason
from nvp_tf.flatness.batches import Tensors, in_batches
from nvp_tf.flatness.clone import float64_clone
from nvp_tf.flatness.losses import MEAN_NATS, Loss, as_keras_loss, loss_of, says_logits, takes_logits
from nvp_tf.models.flow import Flow
from nvp_tf.runs.run_dir import RunDir

_SHOWN = 16  # examples on which a clone is held against its model
_EPSILON = {"float64": 2.2e-16, "float32": 1.2e-7, "float16": 9.8e-4, "bfloat16": 7.8e-3}


@dataclass(frozen=True)
class Subject:
    """A model with its loss on its data.

    model: in float64; outputs are logits where the loss is a cross-entropy, log-likelihoods for a flow.
    batches: pairs (x, y) that can be walked again.
    notes: what was changed or left out on the way here, in words.
    """

    model: keras.Model
    loss: Loss
    batches: Iterable
    name: str
    notes: tuple[str, ...] = ()


def subject(
    source: object,
    x: np.ndarray,
    y: np.ndarray | None = None,
    *,
    loss: object = None,
    batch_size: int = 128,
    name: str | None = None,
) -> Subject:
    """A model with arrays for data.

    Args:
      source: a live model, the path of a .keras file, or of a run's folder (or its `RunDir`).
      x, y: examples and targets; a flow has no targets.
      loss: as `losses.loss_of` takes it; None for what the model was compiled with, for a flow its mean nats.

    Raises:
      UserError: no such file, a model that cannot be had in float64, no loss, data of another shape.
    """
    batches = in_batches(x, y, batch_size)
    model, loss, notes = open_model(source, loss, batches[0])
    return Subject(model, loss, batches, name or _name(source), notes)


def open_model(
    source: object, loss: object = None, batch: tuple | None = None
) -> tuple[keras.Model, Loss, tuple[str, ...]]:
    """(model in float64, its loss, notes); the model of `source` itself stays as it is.

    Args:
      batch: (x, y), by which a subclassed model is built and the clone's predictions are held against the model's.

    Raises:
      UserError: as `subject`.
    """
    model = _load(source)
    if isinstance(model, Flow):
        return _open_flow(model, loss)
    spec = getattr(model, "loss", None) if loss is None else loss
    if spec is None:
        raise UserError(f"{_name(source)} was not compiled with a loss: name one, such as mean_squared_error")
    spec = as_keras_loss(spec)
    x = batch and tf.nest.map_structure(lambda value: value[:_SHOWN], batch[0])
    clone = float64_clone(model, x)
    notes = () if x is None else (_compared(model, clone, x),)
    if takes_logits(spec) and not says_logits(spec):
        logits = _logits(clone, "sigmoid" if isinstance(spec, keras.losses.BinaryCrossentropy) else "softmax")
        if logits is not None:
            notes = (*notes, "outputs are the logits before the last activation")
            return logits, loss_of(spec, from_logits=True), notes
    return clone, loss_of(spec), notes


def _load(source: Any) -> keras.Model:
    if isinstance(source, keras.Model):
        return source
    run = source if isinstance(source, RunDir) else RunDir(source)
    if run.path.is_dir():
        return run.load_flow(dtype="float64")
    if not run.path.is_file():
        raise UserError(f"{run.path} is not there, expected a .keras file or a run's folder")
    try:
        return keras.models.load_model(run.path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{run.path} cannot be read as a Keras model: {reason(error)[:300]}") from None


def _open_flow(flow: Flow, loss: object) -> tuple[Flow, Loss, tuple[str, ...]]:
    if loss is not None:
        raise UserError("a flow's loss is its mean nats, expected no other")
    if flow.compute_dtype != "float64":
        raise UserError(
            f"the flow is in {flow.compute_dtype}, expected float64: RunDir(...).load_flow(dtype='float64')"
        )
    switched = [part for part in flow._flatten_layers() if getattr(part, "recompute", False)]
    for part in switched:
        part.recompute = False  # it has no second derivative; the values are the same
    notes = ("one fixed pattern of dequantization noise",) if flow.pixels is not None else ()
    return flow, MEAN_NATS, (*notes, *(["recomputed couplings are switched off"] if switched else []))


def _logits(model: keras.Model, activation: str) -> keras.Model | None:
    """The model without its last activation, if that is `activation`; it shares the weights. None if it is not."""
    if not getattr(model, "inputs", None) or len(model.outputs) != 1:
        return None
    for layer in model.layers:
        if getattr(layer, "output", None) is not model.outputs[0]:
            continue
        if activation == "softmax" and isinstance(layer, keras.layers.Softmax):
            return keras.Model(model.inputs, layer.input)
        if getattr(layer, "activation", None) is not getattr(keras.activations, activation):
            return None
        if isinstance(layer, keras.layers.Activation):
            return keras.Model(model.inputs, layer.input)
        layer.activation = keras.activations.linear
        return model
    return None


def _compared(model: keras.Model, clone: keras.Model, x: object) -> str:
    """Says how far the clone's predictions are from the model's; refuses more than rounding."""
    [(wide, _)] = Tensors([(x, np.zeros(1))], clone)
    ours = [np.asarray(v) for v in tf.nest.flatten(clone(wide, training=False))]
    theirs = [np.asarray(tf.cast(v, tf.float64)) for v in tf.nest.flatten(model(x, training=False))]
    largest = max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))
    scale = max(float(np.abs(b).max()) for b in theirs)
    simple = [layer for layer in model._flatten_layers() if not layer._layers]
    coarsest = max((layer.compute_dtype for layer in simple), key=lambda dtype: _EPSILON.get(dtype, 0.0))
    if np.isfinite(scale) and not largest <= 1000 * _EPSILON.get(coarsest, 0.0) * scale:
        raise UserError(
            f"in float64 the model predicts otherwise: by {largest:.2g}, of {scale:.2g}; it cannot be measured"
        )
    return f"a copy in float64: its predictions differ from those in {coarsest} by {largest:.1e} at most"


def _name(source: Any) -> str:
    if isinstance(source, keras.Model):
        return source.name
    return Path(getattr(source, "path", source)).name
