"""The .tflite files in a process that has LiteRT and NumPy answer as the flow does, or say that they cannot."""

import contextlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from cases import randomize
from commands import ROOT, consume
from exports import MODELS
from held_out import reference

from nvp_tf.config.schema import ModelConfig, NICEConfig
from nvp_tf.errors import UserError
from nvp_tf.exporting import export, lite, lite_client, lite_gate, weights
from nvp_tf.exporting.export import Signatures
from nvp_tf.exporting.half import in_half_precision
from nvp_tf.exporting.page import fixed_batch
from nvp_tf.layers.fixed_networks import FixedConv2D
from nvp_tf.layers.keras_private import all_layers
from nvp_tf.models.build import build
from nvp_tf.models.fixed_flow import fixed
from nvp_tf.models.flow import Flow
from nvp_tf.scoring.contract import LITE_QUESTIONS, asked

STRANGER = """
import json, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter

def wrong(x, D):
    "what: (signature, inputs that are wrong)"
    z = np.zeros((2, D), np.float32)
    nan, inf = np.full_like(z, np.nan), np.full_like(z, np.inf)
    yield "dtype", "log_prob", {name: x[:2].astype(np.int32)}
    yield "rank", "log_prob", {name: x[0]}
    yield "depth", "log_prob", {name: np.concatenate([x[:2]] * 3, axis=-1)}
    yield "size", "encode", {name: x[:2, :-1]}
    yield "empty", "log_prob", {name: x[:0]}
    yield "no latents", "decode", {"latents": z[:0]}
    yield "wide latents", "decode", {"latents": np.concatenate([z, z], axis=1)}
    yield "nan latents", "decode", {"latents": nan}
    yield "infinite latents", "decode", {"latents": -inf}
    for t in (0, -1, np.nan, np.inf):
        yield f"temperature {t}", "sample", {"noise": z + 1, "temperature": np.float32(t)}
    yield "impossible", "log_prob", {name: x[:2] * 0 + 200 if x.dtype == np.uint8 else nan}
    yield "far", "log_prob", {name: x[:2] * 0 + 5 if x.dtype == np.uint8 else z + 500}

told = {}
for path, inputs, outputs in zip(*[iter(sys.argv[1:])] * 3):
    model, x = Interpreter(path), np.load(inputs)[:256]
    signatures = model.get_signature_list()
    [name] = signatures["log_prob"]["inputs"]
    run = {key: model.get_signature_runner(key) for key in signatures}
    arrays = {}
    for n in (256, 1, 7):
        parts = [run["log_prob"](**{name: x[i : i + n]})["log_prob"] for i in range(0, 256, n)]
        arrays[f"by_{n}"] = np.concatenate(parts)
    x = x[:60]
    for key in ("score", "explain"):
        arrays |= {f"{key}_{output}": values for output, values in run[key](**{name: x}).items()}
    arrays["latents"] = run["encode"](**{name: x})["latents"]
    arrays |= {f"decoded_{key}": values for key, values in run["decode"](latents=arrays["latents"]).items()}
    D = arrays["latents"].shape[1]
    arrays["noise"] = np.random.default_rng(0).standard_normal((5, D), np.float32)
    drawn = run["sample"](noise=arrays["noise"], temperature=np.float32(0.5))
    arrays |= {f"drawn_{key}": values for key, values in drawn.items()}
    answers = {}
    for what, signature, values in wrong(x, D):
        try:
            answers[what] = {key: np.ravel(v)[:3].tolist() for key, v in run[signature](**values).items()}
        except (ValueError, RuntimeError) as error:
            answers[what] = str(error)
    arrays["after"] = run["log_prob"](**{name: x})["log_prob"]
    np.savez(outputs, **arrays)
    told[path] = {"signatures": {key: sorted(value["inputs"] + value["outputs"]) for key, value in signatures.items()},
                  "answers": answers}
packages = {module.split(".")[0] for module in sys.modules}
print(json.dumps({"told": told, "foreign": sorted(packages & {"tensorflow", "keras", "nvp_tf"})}))
"""


@pytest.fixture(scope="module")
def written(saved, tmp_path_factory):
    """{(model, file): (flow, reference, x, the path, the stranger's arrays, its other answers)}."""
    folder, parts, arguments = tmp_path_factory.mktemp("lite"), {}, []
    nice = build(ModelConfig((6,), NICEConfig(couplings=2, hidden_layers=2, hidden_units=40), prior="logistic"))
    randomize(nice, spread=0.3)
    flows = {name: (flow, x) for name, (flow, x, _) in saved.items()}
    flows["logistic"] = nice, np.random.RandomState(0).randn(300, 6).astype(np.float32)
    for name, (flow, x) in flows.items():
        known = reference(flow.event, x[100:], flow.log_prob(x[100:]).numpy(), usual=2)
        (folder / name).mkdir()
        lite.write(Signatures(flow, known), folder / name)
        np.save(folder / f"{name}.npy", x)
        for file in lite.FILES:
            parts[name, file] = flow, known, x, folder / name / file
            arguments += [folder / name / file, folder / f"{name}.npy", folder / f"{name}-{file}.npz"]
    told = consume(STRANGER, *arguments, cwd="/")
    assert told["foreign"] == []
    return {
        (name, file): (*of, dict(np.load(folder / f"{name}-{file}.npz")), told["told"][str(of[-1])])
        for (name, file), of in parts.items()
    }


NAMES = [*MODELS, "logistic"]
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


def test_the_python_of_the_page_runs(written, tmp_path):
    (tmp_path / "saved_models" / "fashion").mkdir(parents=True)
    (tmp_path / "saved_models" / "fashion" / "1").symlink_to(written["grey", lite.FLOAT32][3].parent)
    [code] = re.findall("```python\n(.*?)```", (ROOT / "docs" / "tflite.md").read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"-\d+\.\d+", done.stdout)) == 4  # scores


WRONG = {
    "log_prob": ("log_prob/log_prob", lambda a: a + 0.02, r"log_prob differs by 0\.02"),
    "batch": ("by_seven/log_prob", lambda a: a + 0.02, r"log_prob_by_batch differs by 0\.02"),
    "latents": ("encode/latents", lambda a: a + 0.01, r"latents differs by 0\.01"),
    "bits": ("explain/bits", lambda a: a[::-1], "excess is not bits - usual"),
    "round trip": ("decode/x", lambda a: a + 0.01, r"round_trip differs by 0\.01"),
    "sample": ("sample/x", lambda a: a[::-1], "sample differs"),
    "rows": ("log_prob/log_prob", lambda a: a[1:], r"shape \(255,\), expected \(256,\)"),
    "percentile": ("score/percentile", lambda a: 100 - a, "percentile of score is not"),
    "foreign": ("score/foreign", lambda a: 1 - a, "foreign of score is not"),
    "nan": ("log_prob/log_prob", lambda a: a * np.nan, "log_prob differs by nan"),
    "broken": ("broken/x", np.nan_to_num, "broken: 3 of 3 rows are valid"),
    "frozen": ("frozen/x", np.nan_to_num, "frozen: 8 of 8 rows are valid"),
}


@pytest.fixture(scope="module")
def answers(written):
    flow, known, x, path, *_ = written["vector", lite.FLOAT32]
    return (
        flow,
        known,
        x,
        path,
        *lite_gate.ask(lite_client.__file__, path, x[:256], asked(LITE_QUESTIONS, flow.event), path.name, set()),
    )


@pytest.mark.parametrize("what", WRONG)
def test_a_file_that_answers_otherwise_is_refused(what, answers, monkeypatch):
    flow, known, x, path, told, right = answers
    key, wrong, message = WRONG[what]
    monkeypatch.setattr(lite_gate, "ask", lambda *_: (told, right))
    figures = lite_gate.check(flow, known, path.parent, x)
    assert set(figures) == set(lite.FILES) and figures[lite.FLOAT32]["largest_log_prob_difference"] < 1e-3
    assert figures[lite.INT8]["size_bytes"] == (path.parent / lite.INT8).stat().st_size
    monkeypatch.setattr(lite_gate, "ask", lambda *_: (told, right | {key: wrong(right[key])}))
    with pytest.raises(UserError, match=message):
        lite_gate.check(flow, known, path.parent, x)
    lenient = what in ("batch", "latents", "round trip", "sample")
    with contextlib.nullcontext() if lenient else pytest.raises(UserError):
        lite_gate.check(flow, known, path.parent, x, [lite.INT8])  # which must give numbers that fit together, no more


def test_a_refused_file_leaves_no_export(written, tmp_path, monkeypatch):
    flow, known, x, *_ = written["vector", lite.FLOAT32]

    def refuse(flow, reference, folder, examples, files):
        assert set(files) == set(lite.FILES)
        assert {path.name for path in folder.glob("*.tflite")} == set(lite.FILES)
        raise UserError("as if it differed")

    monkeypatch.setattr(export.gate, "check", lambda *_: {})
    monkeypatch.setattr(lite_gate, "check", refuse)
    with pytest.raises(UserError, match="as if"):
        export.export(flow, tmp_path / "model", x, known)
    assert list((tmp_path / "model").iterdir()) == []


def test_a_layer_without_built_in_ops_is_named(saved, tmp_path):
    flow, x, _ = saved["vector"]
    signatures = Signatures(flow, reference(flow.event, x))
    signatures.inverse = tf.function(tf.math.erf, [signatures.latents])
    with pytest.raises(UserError, match=r"model.tflite can have built-in ops alone, .* none for Erf"):
        lite.write(signatures, tmp_path)


def kernels(flow):
    """Of its convolutions."""
    return [layer.kernel.numpy() for layer in all_layers(flow) if isinstance(layer, FixedConv2D)]


def test_kernels_of_float16_are_kept_whole_in_half_the_size(saved, monkeypatch):
    flow, x, _ = saved["grey"]
    halves = in_half_precision(flow)
    whole = fixed(flow)
    for before, after in zip(kernels(whole), kernels(halves), strict=True):
        np.testing.assert_array_equal(after, after.astype(np.float16))  # what LiteRT keeps of it is what there is
        np.testing.assert_allclose(before, after, rtol=2**-8, atol=1e-6)
    monkeypatch.setattr(weights, "_LARGE", 64)
    packed, exact = weights.PackedWeights(halves.variables), weights.PackedWeights(whole.variables)
    assert [[v.dtype.name for v in p.packed] for p in (packed, exact)] == [["float32", "float16"], ["float32"]]
    live = halves.log_prob(x).numpy()
    halves.set_weights(whole.get_weights())
    with packed.in_place():
        np.testing.assert_allclose(Flow.log_prob(halves, x), live, atol=5e-5)
    assert 2e-4 < np.abs(live - flow.log_prob(x)).max() < 1


def test_weights_of_large_models_are_packed_in_parts(saved, monkeypatch):
    flow, x, _ = saved["vector"]
    monkeypatch.setattr(weights, "_MOST_ROWS", 8)
    packed = weights.PackedWeights(flow.variables)
    assert 1 < len(packed.packed) < len(flow.variables)
    live = flow.log_prob(x).numpy()
    for variable in packed.packed:
        variable.assign(2 * variable)
    with packed.in_place():
        other = flow.log_prob(x).numpy()
    assert np.abs(other - live).max() > 0.1
    for variable in packed.packed:
        variable.assign(variable / 2)
    with packed.in_place():
        np.testing.assert_allclose(flow.log_prob(x), live, atol=1e-5)
