"""A LiteRT file for browsers, whose runtime LiteRT.js takes no free sizes: the same graph for one example at a time."""

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from nvp_tf.errors import UserError

FILE = "model_web.tflite"
SIGNATURES = ("score", "explain", "encode", "decode")  # what a page asks; a runtime readies each that there is
_IDENTIFIER = b"TFL3"


def write(source: Path, file: Path) -> None:
    """Writes `source` anew, with one example in the place of n, and without the signatures that no page asks.

    A tensor has its sizes twice: as they are for one example, and with -1 for those that are free. Without the second
    the first are what a runtime believes. Weights kept in float16 become float32, of the same values: in a browser they
    are converted anew for every example, which makes it five times as slow. All else stays as it is.

    Raises:
      UserError: `source` is no LiteRT file, or has not the signatures of an export of images.
    """
    content = source.read_bytes()
    if content[4:8] != _IDENTIFIER:
        raise UserError(f"{source} is not a LiteRT file")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    asked = [signature for signature in model.signatureDefs if signature.signatureKey.decode() in SIGNATURES]
    model.subgraphs = [model.subgraphs[signature.subgraphIndex] for signature in asked]
    model.signatureDefs = asked
    for index, signature in enumerate(asked):
        signature.subgraphIndex = index
        for tensor in model.subgraphs[index].tensors:
            tensor.shapeSignature = None
    for buffer in model.buffers:
        if buffer.data is None and buffer.size:  # those of a large file are behind it
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    _in_single_precision(model)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    file.write_bytes(builder.Output())


def _in_single_precision(model: schema.ModelT) -> None:
    """Puts float32 weights in the place of float16 ones and of the ops that convert them."""
    halves, converted = schema.TensorType.FLOAT16, set()
    for graph in model.subgraphs:
        kept = []
        for op in graph.operators:
            source = graph.tensors[op.inputs[0]] if len(op.inputs) else None
            code = model.operatorCodes[op.opcodeIndex].builtinCode
            if code != schema.BuiltinOperator.DEQUANTIZE or source is None or source.type != halves:
                kept.append(op)
                continue
            buffer = model.buffers[source.buffer]
            if source.buffer not in converted:  # signatures share them
                converted.add(source.buffer)
                buffer.data = np.frombuffer(bytes(buffer.data), np.float16).astype(np.float32).view(np.uint8)
            graph.tensors[op.outputs[0]].buffer, source.buffer = source.buffer, 0
        graph.operators = kept


def check(source: Path, file: Path, examples: np.ndarray) -> None:
    """Raises UserError unless `file` answers to the bit as `source` does, and refuses two examples at once.

    Args:
      examples: uint8 [n, H, W, C].
    """
    free, fixed = Interpreter(str(source)), Interpreter(str(file))
    for name, signature in fixed.get_signature_list().items():
        [key] = signature["inputs"]
        runners = [model.get_signature_runner(name) for model in (free, fixed)]
        for example in examples:
            values = example[None]
            if key == "latents":
                values = free.get_signature_runner("encode")(images=values)["latents"].copy()
            expected, found = ({n: a.copy() for n, a in run(**{key: values}).items()} for run in runners)
            wrong = [output for output, array in expected.items() if not _same(found[output], array)]
            if wrong:
                raise UserError(f"{file.name}'s {name} answers {wrong[0]} otherwise than {source.name} does")
            if name == "decode" and not np.array_equal(found["images"], example[None]):
                raise UserError(f"{file.name} does not give back a picture that it has encoded")
        if any((details["shape_signature"] < 0).any() for details in runners[1].get_input_details().values()):
            raise UserError(f"{file.name}'s {name} takes {key} of a free size, expected one example")


def _same(found: np.ndarray, expected: np.ndarray) -> bool:
    return np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f")
