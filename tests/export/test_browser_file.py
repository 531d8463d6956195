"""The file that browsers get of a .tflite file answers as that does, to the bit."""

import pytest
from ai_edge_litert import schema_py_generated as schema

from nvp_tf.errors import UserError
from nvp_tf.exporting import lite
from nvp_tf.exporting.page import fixed_batch


@pytest.mark.parametrize("name", ["grey", "colour"])
@pytest.mark.parametrize("of", [lite.FLOAT32, lite.FLOAT16])
def test_a_file_for_browsers_answers_to_the_bit(name, of, written, tmp_path):
    _, _, x, source, *_ = written[name, of]
    file = tmp_path / fixed_batch.FILE
    fixed_batch.write(source, file)
    fixed_batch.check(source, file, x[:3])
    model = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0)
    assert [s.signatureKey.decode() for s in model.signatureDefs] == ["decode", "encode", "explain", "score"]
    for graph in model.subgraphs:
        assert all(tensor.shapeSignature is None for tensor in graph.tensors)
        ops = {model.operatorCodes[op.opcodeIndex].builtinCode for op in graph.operators}
        assert schema.BuiltinOperator.DEQUANTIZE not in ops
    with pytest.raises(UserError, match=r"takes .* of a free size"):
        fixed_batch.check(source, source, x[:1])
    other = {lite.FLOAT32: lite.FLOAT16, lite.FLOAT16: lite.FLOAT32}[of]
    with pytest.raises(UserError, match=rf"{fixed_batch.FILE}'s \w+ answers \w+ otherwise than {other} does"):
        fixed_batch.check(source.with_name(other), file, x[:3])
