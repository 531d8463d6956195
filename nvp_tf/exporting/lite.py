"""An export for phones: LiteRT (TensorFlow Lite) files of built-in ops alone.

model.tflite           float32
model_float16.tflite   the weights of convolutions and dense layers in float16
model_int8.tflite      those weights in int8, and what they are multiplied with rounded to int8 as it comes

    log_prob   images              ->  log_prob [n] nats, bits_per_dim [n]
    score      images              ->  log_prob, bits_per_dim, percentile, typicality, foreign [n]
    explain    images              ->  bits, excess [n, H, W]
    encode     images              ->  latents [n, D]
    decode     latents             ->  images, valid [n]
    sample     noise, temperature  ->  images, valid [n]

As in the SavedModel (`signatures.py`), but n is at least 1, and nothing is drawn or refused here: noise
float32 [n, D] are draws of the prior. valid is int32, 1, and 0 where latents are nan or infinite or a temperature is
not positive, whose images are black: a bool is no tensor in browsers. Vectors: they are nan there, and there is no
`valid`.
"""

import contextlib
import io
import logging
import re
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_quantizer import qtyping
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.quantizer import Quantizer
from tensorflow.lite.python import convert

from nvp_tf.errors import UserError
from nvp_tf.evaluation.foreign import SCOPE
from nvp_tf.exporting.signatures import Signatures, traced

FLOAT32, FLOAT16, INT8 = FILES = "model.tflite", "model_float16.tflite", "model_int8.tflite"
_OPERATIONS = qtyping.TFLOperationName.CONV_2D, qtyping.TFLOperationName.FULLY_CONNECTED
_NETWORKS = f"^(?!.*{SCOPE}/)"  # what is quantized: not what `foreign` is made of, whose small products are exact
_LEAST = 1024  # weights of a layer in int8; those of fewer lose more than they save


def write(signatures: Signatures, folder: Path, halves: bool = False) -> list[str]:
    """Writes the three files, and gives their names. The signatures of a file share its weights.

    Args:
      signatures: the `Signatures` of the SavedModel, both of whose directions are traced already.
      folder: where to.
      halves: whether the kernels are float16 numbers (`in_half_precision`): `FLOAT32`, kept in float16, is then all.

    Raises:
      UserError: a layer that needs more than built-in ops.
    """
    functions = _functions(signatures)
    with tempfile.TemporaryDirectory() as saved:
        signatures.save(saved, functions)
        model = _converted(saved, list(functions))
    files = {FLOAT32: _float16(model)} if halves else {FLOAT32: model, FLOAT16: _float16(model), INT8: _int8(model)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return list(files)


def _converted(saved_model: str, signature_keys: list[str]) -> bytes:
    """As `tf.lite.TFLiteConverter` makes it, in half the time: it loads the SavedModel twice, for what is not used
    here, and takes its own answer apart to write the settings of the conversion into it."""
    try:
        model = convert.convert_saved_model(
            saved_model_dir=saved_model,
            saved_model_version=1,
            saved_model_tags=[tf.saved_model.SERVING],
            saved_model_exported_names=signature_keys,
        )
    except convert.ConverterError as error:
        ops = ", ".join(re.findall(r"(?:Select|Custom) ops: (.*)", str(error))) or str(error).splitlines()[0]
        raise UserError(f"{FLOAT32} can have built-in ops alone, and of this model there is none for {ops}") from None
    return convert.deduplicate_readonly_buffers(model)


def _functions(signatures: Signatures) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """Name -> tf.function."""
    event = signatures.flow.event

    def log_prob(values: tf.Tensor) -> dict[str, tf.Tensor]:
        return signatures.scores(signatures.forward(_exact(values), signatures.pattern)[1])

    def score(values: tf.Tensor) -> dict[str, tf.Tensor]:
        return signatures.ranked(values, log_prob(values))

    def explain(values: tf.Tensor) -> dict[str, tf.Tensor]:
        return signatures.explained(signatures.entrywise(_exact(values), signatures.pattern))

    def encode(values: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"latents": signatures.forward(_exact(values), signatures.cell_centre)[0]}

    def decode(latents: tf.Tensor) -> dict[str, tf.Tensor]:
        latents = _exact(latents)
        valid = tf.reduce_all(tf.abs(latents) < np.inf, axis=1)
        values = signatures.inverse(latents)
        rows = tf.reshape(valid, [-1] + [1] * (values.shape.rank - 1))
        # Selected as float32: no built-in op does it among uint8.
        shown = tf.where(rows, tf.cast(values, tf.float32), 0.0 if event.is_image else np.nan)
        images = {event.name: tf.cast(shown, values.dtype)}
        return images | {"valid": tf.cast(valid, tf.int32)} if event.is_image else images

    def sample(noise: tf.Tensor, temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        return decode(noise * tf.where(temperature > 0, temperature, np.nan))

    noise, temperature = tf.TensorSpec(signatures.latents.shape, name="noise"), tf.TensorSpec((), name="temperature")
    return {
        "log_prob": traced(log_prob, [signatures.values]),
        "score": traced(score, [signatures.values]),
        "explain": traced(explain, [signatures.values]),
        "encode": traced(encode, [signatures.values]),
        "decode": traced(decode, [signatures.latents]),
        "sample": traced(sample, [noise, temperature]),
    }


def _exact(values: tf.Tensor) -> tf.Tensor:
    """`values`, through copies that fail where there are no rows, or other sides than the signature's.

    A runtime checks the dtype alone: it would score three channels in the place of one, and an empty batch
    breaks XNNPACK's memory. XNNPACK leaves int32 and plain uint8 to others, so that this fails before it.
    """
    bits = values if values.dtype.is_integer else tf.bitcast(values, tf.int32)
    side = bits.shape[1]
    first = tf.concat([bits[:1], tf.zeros([1, *bits.shape[1:]], bits.dtype)], axis=1)[:, :side]  # fails on no rows
    bits = tf.concat([bits, first], axis=0)[:-1]  # fails on other sides
    return bits if values.dtype.is_integer else tf.bitcast(bits, values.dtype)


def _float16(model: bytes) -> bytes:
    # The converter's own way takes all constants: a model of photographs is 5 nats off for it, not 0.4.
    quantizer = Quantizer(model)
    for operation in _OPERATIONS:
        quantizer.add_weight_only_config(_NETWORKS, operation, num_bits=16, algorithm_key=AlgorithmName.FLOAT_CASTING)
    return _quantized(quantizer)


def _int8(model: bytes) -> bytes:
    quantizer = Quantizer(model)
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=qtyping.TensorQuantizationConfig(8, granularity=qtyping.QuantGranularity.CHANNELWISE),
        compute_precision=qtyping.ComputePrecision.INTEGER,
        min_weight_elements=_LEAST,
    )
    for operation in _OPERATIONS:
        quantizer.update_quantization_recipe(_NETWORKS, operation, config)
    return _quantized(quantizer)


def _quantized(quantizer: Quantizer) -> bytes:
    # It warns of weights that signatures share, and shows its progress whatever it is told.
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return quantizer.quantize(enable_progress_report=False).quantized_model
    finally:
        logging.disable(logging.NOTSET)
