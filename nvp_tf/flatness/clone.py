"""A Keras model once more, in float64: `keras.config.set_floatx` does nothing once a layer exists."""

import keras
import tensorflow as tf

from nvp_tf.errors import UserError, reason
from nvp_tf.flatness.batches import Tensors

_NARROW = ("float16", "bfloat16", "float32", "mixed_float16", "mixed_bfloat16")


def float64_clone(model: keras.Model, x: object = None) -> keras.Model:
    """A model of the same layers and weights that computes in float64.

    Args:
      x: examples, with which a model of one's own class is built; others need none.

    Returns:
      A new model; `model` itself where it cannot be made anew and is in float64 already.

    Raises:
      UserError: a model that cannot be made from its config.
    """
    if not model.built:
        raise UserError(f"{model.name} is not built: it has no weights yet, call it on some data first")
    try:
        serialized = keras.saving.serialize_keras_object(model)
        serialized.pop("compile_config", None)
        layers = model._flatten_layers()
        classes = {type(layer).__name__: type(layer) for layer in layers if not _of_keras(layer)}
        clone = keras.saving.deserialize_keras_object(_widened(serialized), custom_objects=classes, safe_mode=False)
    except (NotImplementedError, TypeError, ValueError, AttributeError) as error:
        if _is_wide(model):
            return model
        raise UserError(
            f"{model.name} cannot be made anew in float64, expected a model with get_config and from_config, or one "
            f"in float64: {reason(error)[:300]}"
        ) from None
    if not clone.built and x is not None:
        [(wide, _)] = Tensors([(x, [0.0])], clone)
        clone(wide, training=False)
    _copy_weights(model, clone)
    return clone


def _of_keras(layer: keras.layers.Layer) -> bool:
    return type(layer).__module__.startswith("keras.")


def _is_wide(model: keras.Model) -> bool:
    return all(tf.as_dtype(weight.dtype) == tf.float64 for weight in model.trainable_weights)


def _widened(config: object) -> object:
    """A serialized object with float64 wherever a dtype is a narrower float; integers stay."""
    if isinstance(config, list | tuple):
        return type(config)(_widened(value) for value in config)
    if not isinstance(config, dict):
        return config
    return {key: _wide_dtype(value) if key == "dtype" else _widened(value) for key, value in config.items()}


def _wide_dtype(value: object) -> object:
    if isinstance(value, dict):  # a dtype policy
        return "float64"
    return "float64" if value in _NARROW else value


def _copy_weights(model: keras.Model, clone: keras.Model) -> None:
    theirs, ours = model.weights, clone.weights
    if [tuple(w.shape) for w in theirs] != [tuple(w.shape) for w in ours]:
        raise UserError(f"{model.name} made anew in float64 has other weights: {len(ours)}, expected {len(theirs)}")
    for new, old in zip(ours, theirs, strict=True):
        new.assign(tf.cast(tf.convert_to_tensor(old), new.dtype))
