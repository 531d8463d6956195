"""The .tflite files in a process that has LiteRT and NumPy answer as the flow does, or say that they cannot."""

import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from commands import ROOT
from held_out import reference
from lite_files import NAMES

from nvp_tf.errors import UserError
from nvp_tf.exporting import lite
from nvp_tf.exporting.export import Signatures

EACH = [pytest.param(name, file, id=f"{name}-{file}") for name in NAMES for file in lite.FILES]


@pytest.mark.parametrize("name, file", EACH)
def test_a_stranger_gets_the_answers_of_the_flow(name, file, written):
    flow, known, x, _, arrays, told = written[name, file]
    values = "images" if flow.pixels else "x"
    scores = ["bits_per_dim", "log_prob"] if flow.pixels else ["log_prob"]
    valid = ["valid"] if flow.pixels else []
    assert told["signatures"] == {
        "log_prob": sorted([values, *scores]),
        "score": sorted([values, *scores, "percentile", "typicality", "foreign"]),
        "explain": sorted([values, "bits", "excess"]),
        "encode": sorted([values, "latents"]),
        "decode": sorted(["latents", values, *valid]),
        "sample": sorted(["noise", "temperature", values, *valid]),
    }
    live, exact = flow.log_prob(x[:256]).numpy(), file == lite.FLOAT32
    nats = {lite.FLOAT32: 1e-3, lite.FLOAT16: 0.3, lite.INT8: 5}[file]
    for n in (1, 7, 256):
        assert arrays[f"by_{n}"].shape == (256,) and np.abs(arrays[f"by_{n}"] - live).max() < nats
    np.testing.assert_allclose(arrays["score_log_prob"], arrays["by_256"][:60], atol=1e-3)
    for what, expected in known.ranks(x[:60], arrays["score_log_prob"]).items():
        # A distance that differs in its last digits passes one of 200 now and then.
        np.testing.assert_allclose(arrays[f"score_{what}"], expected, rtol=1e-5, atol=0.006 * (what == "foreign"))
    sums = -np.log(2) * arrays["explain_bits"].reshape(60, -1).sum(axis=1)
    np.testing.assert_allclose(sums, arrays["score_log_prob"], atol=1e-3)
    np.testing.assert_allclose(arrays["explain_bits"], flow.explain(x[:60]), atol=1e-3 if exact else 2)
    np.testing.assert_allclose(arrays["explain_bits"] - arrays["explain_excess"], 2, atol=1e-5)
    if flow.pixels:
        bits = -arrays["score_log_prob"] / (flow.dimensions * np.log(2))
        np.testing.assert_allclose(arrays["score_bits_per_dim"], bits, rtol=1e-5)
        assert arrays["decoded_valid"].all() and arrays["drawn_valid"].all()
        assert arrays["decoded_images"].dtype == np.uint8
    np.testing.assert_allclose(arrays["latents"], flow.encode(x[:60]), atol=1e-4 if exact else 1)
    drawn = flow.decode(0.5 * arrays["noise"]).numpy().astype(float)
    assert np.ptp(drawn) > 0.5
    if exact and flow.pixels:
        np.testing.assert_array_equal(arrays["decoded_images"], x[:60])
        assert np.abs(arrays["drawn_images"] - drawn).max() <= 1
    elif exact:
        np.testing.assert_allclose(arrays["decoded_x"], x[:60], atol=1e-4)
        np.testing.assert_allclose(arrays["drawn_x"], drawn, atol=1e-4)
    np.testing.assert_array_equal(arrays["after"], arrays["score_log_prob"])  # also after it was asked nonsense


# What LiteRT says, "expected != given", as docs/tflite.md has it.
REFUSED = {
    "dtype": "Got value of type INT32 but expected type (UINT8|FLOAT32)",
    "rank": r"t->dims->size != t0->dims->size|axis < t0->dims->size",
    "depth": r"\((1 != 3|3 != 9|2 != 6|6 != 18)\)",
    "size": r"\((8 != 7|4 != 3|2 != 1|6 != 5)\)",
    "empty": r"\(1 != 0\)",
    "no latents": r"\(1 != 0\)",
    "wide latents": r"\((64 != 128|48 != 96|2 != 4|6 != 12)\)",
}


@pytest.mark.parametrize("name, file", EACH)
def test_nonsense_is_refused_or_seen(name, file, written):
    flow, *_, told = written[name, file]
    answers = dict(told["answers"])
    for what, message in REFUSED.items():
        assert re.search(message, answers.pop(what)), what
    impossible, far = answers.pop("impossible")["log_prob"], answers.pop("far")["log_prob"]
    if name == "grey":
        assert impossible == [-np.inf, -np.inf]  # 200 among 17 levels
    elif name == "colour":
        assert np.isfinite(impossible).all()
    else:
        assert np.isnan(impossible).all()
    assert np.isfinite(far).all()
    assert len(answers) == 6
    for what, outputs in answers.items():  # latents that are no numbers, temperatures that are not positive
        if flow.pixels:
            assert not any(outputs["valid"]) and not any(outputs["images"]), what
        else:
            assert np.isnan(outputs["x"]).all(), what


@pytest.mark.parametrize("name, file", EACH)
def test_built_in_ops_alone_no_bool_and_one_copy_of_the_weights(name, file, written):
    content = written[name, file][3].read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    assert len(model.subgraphs) == 6  # one a signature
    assert all(c.builtinCode != schema.BuiltinOperator.CUSTOM and not c.customCode for c in model.operatorCodes)
    for graph in model.subgraphs:  # LiteRT.js takes these three alone
        types = {graph.tensors[index].type for index in [*graph.inputs, *graph.outputs]}
        assert types <= {schema.TensorType.FLOAT32, schema.TensorType.INT32, schema.TensorType.UINT8}
    # The buffers of a large file are behind it.
    buffers = [bytes(content[b.offset : b.offset + b.size] if b.data is None else b.data) for b in model.buffers]
    large = [buffer for buffer in buffers if len(buffer) >= 64]
    assert large and len(set(large)) == len(large)
    if name == "logistic":
        assert max(map(len, large)) == 40 * 40 * {lite.FLOAT32: 4, lite.FLOAT16: 2, lite.INT8: 1}[file]


def test_the_python_of_the_page_runs(written, tmp_path):
    (tmp_path / "saved_models" / "fashion").mkdir(parents=True)
    (tmp_path / "saved_models" / "fashion" / "1").symlink_to(written["grey", lite.FLOAT32][3].parent)
    [code] = re.findall("```python\n(.*?)```", (ROOT / "docs" / "tflite.md").read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"-\d+\.\d+", done.stdout)) == 4  # scores


def test_a_layer_without_built_in_ops_is_named(saved, tmp_path):
    flow, x, _ = saved["vector"]
    signatures = Signatures(flow, reference(flow.event, x))
    signatures.inverse = tf.function(tf.math.erf, [signatures.latents])
    with pytest.raises(UserError, match=r"model.tflite can have built-in ops alone, .* none for Erf"):
        lite.write(signatures, tmp_path)


def test_the_file_is_that_of_tensorflows_converter(saved, tmp_path):
    flow, x, _ = saved["vector"]
    signatures = Signatures(flow, reference(flow.event, x))
    functions = lite._functions(signatures)
    signatures.save(tmp_path, functions)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path), signature_keys=list(functions))
    converter.exclude_conversion_metadata = True
    assert lite._converted(str(tmp_path), list(functions)) == converter.convert()
