"""A SavedModel in a stranger's process, which has TensorFlow and nothing of ours, answers as the flow does."""

import json
import re
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from commands import consume, digits_export, digits_run
from held_out import reference
from scipy.special import logsumexp

import nvp_tf
from nvp_tf.config.schema import DataConfig, ModelConfig, PixelsConfig, RealNVPConfig, VectorRealNVPConfig
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError
from nvp_tf.evaluation.usual import usual_bits
from nvp_tf.exporting import export
from nvp_tf.models.build import build

STRANGER = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
answers = []
for path, inputs, outputs in zip(*[iter(sys.argv[1:])] * 3):
    model = tf.saved_model.load(path).signatures
    x = tf.constant(np.load(inputs))
    [name] = model["log_prob"].structured_input_signature[1]
    values = lambda signature, v: {k: a.numpy() for k, a in model[signature](**{name: tf.constant(v)}).items()}
    draw = lambda n, seed, t=1.0: model["sample"](num_samples=tf.constant(n), seed=tf.constant(seed, tf.int64),
                                                  temperature=tf.constant(t))[name].numpy()
    wrong = {}
    for what, v in {"dtype": tf.cast(x[:1], tf.float64 if x.dtype == tf.float32 else tf.float32),
                    "rank": x[0], "shape": tf.concat([x, x], axis=-1)}.items():
        for signature in ("serving_default", "log_prob", "encode"):
            try:
                wrong[f"{what} {signature}"] = str(model[signature](**{name: v}).keys())
            except Exception as error:
                wrong[f"{what} {signature}"] = "error: " + str(error)
    latents = values("encode", x)["latents"]
    scalars = dict(num_samples=tf.constant(2), seed=tf.constant(1, tf.int64))
    refused = {"shape decode": ("decode", dict(latents=tf.zeros((1, latents.shape[1] + 1))))}
    for value in (np.nan, np.inf):
        refused[f"{value} decode"] = ("decode", dict(latents=tf.fill((2, latents.shape[1]), np.float32(value))))
    for n in (-1, 10**9):
        few = scalars | dict(num_samples=tf.constant(n))
        refused[f"{n} sample"] = ("sample", few | dict(temperature=tf.constant(1.0)))
        refused[f"{n} log_prob_with_noise"] = ("log_prob_with_noise", few | {name: x[:1]})
    for t in (0.0, -1.0, np.nan, np.inf):
        refused[f"{t} temperature"] = ("sample", scalars | dict(temperature=tf.constant(t, tf.float32)))
    for what, (signature, inputs) in refused.items():
        try:
            wrong[what] = str(model[signature](**inputs).keys())
        except Exception as error:
            wrong[what] = "error: " + str(error)
    empty = tf.zeros((0, *x.shape[1:]), x.dtype)
    noisy = lambda k, seed, v=x[:20]: {
        key: a.numpy() for key, a in model["log_prob_with_noise"](
            **{name: v}, num_samples=tf.constant(k), seed=tf.constant(seed, tf.int64)).items()}
    np.savez(outputs, **values("log_prob", x), served=values("serving_default", x)["log_prob"], latents=latents,
             decoded=model["decode"](latents=tf.constant(latents))[name],
             alone=np.concatenate([values("log_prob", x[i : i + 1])["log_prob"] for i in range(5)]),
             hundred=values("log_prob", np.resize(x, (100, *x.shape[1:])))["log_prob"][:5],
             samples=draw(6, 7), again=draw(6, 7), others=draw(6, 8), cold=draw(6, 7, 0.1),
             fresh=draw(6, -1), fresh_again=draw(6, -1),
             **{f"noisy_{k}": a for k, a in noisy(5, 3).items()}, one=noisy(1, 3)["standard_error"],
             noise=noisy(2, -1)["log_prob"], other_noise=noisy(2, -1)["log_prob"],
             **{f"{s}_{k}": a for s in ("score", "explain") for k, a in values(s, x).items()},
             **{f"empty_{s}_{k}": a for s in ("serving_default", "log_prob", "score", "explain", "encode")
                for k, a in values(s, empty).items()},
             **{f"empty_noise_{k}": a for k, a in noisy(2, 1, empty).items()},
             empty_decode=model["decode"](latents=tf.zeros((0, latents.shape[1])))[name], empty_sample=draw(0, 7))
    answers.append({"name": name, "signatures": sorted(model), "wrong": wrong})
foreign = [m for m in sys.modules if m.split(".")[0] in ("nvp_tf", "tensorflow_probability", "tf_keras")]
print(json.dumps({"answers": answers, "foreign": foreign, "path": sys.path}))
"""
SIGNATURES = ["decode", "encode", "explain", "log_prob", "log_prob_with_noise", "sample", "score", "serving_default"]
REAL_NVP = RealNVPConfig(scales=1, couplings=1, filters=3, blocks=1)
MODELS = {
    "grey": None,  # the session's run, by bin/export.py
    "colour": ModelConfig((4, 4, 3), REAL_NVP, PixelsConfig(256)),
    "vector": ModelConfig((3,), VectorRealNVPConfig(couplings=2, hidden_units=8, batch_norm=True)),
}


HELD_OUT = {"colour": -np.linspace(250, 400, 40), "vector": np.repeat(np.linspace(-9, -2, 9), 3)}  # nats, made


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """{name: (flow, x, what export printed, the stranger's arrays, its other answers)}."""
    folder = tmp_path_factory.mktemp("exports")
    made, arguments = {}, []
    for name, config in MODELS.items():
        if config is None:
            path, _ = digits_run()
            flow, x = nvp_tf.load(path), load_dataset(DataConfig("digits")).test._array.numpy()
            _, printed = digits_export()
        else:
            flow, rng = build(config), np.random.RandomState(0)
            for weight in flow.weights:  # Away from the identity: a wrong graph hides there.
                noise = 0.1 * rng.randn(*weight.shape)
                weight.assign(weight + (abs(noise) if "variance" in weight.path else noise))
            shape = (50, *flow.event_shape)
            x = rng.randint(0, 256, shape).astype(np.uint8) if flow.pixels else rng.randn(*shape).astype(np.float32)
            known = reference(flow.event, x[: len(HELD_OUT[name])], HELD_OUT[name], usual=2)
            printed = export.export(flow, folder / name, x, known, tflite=False)
        np.save(folder / f"{name}.npy", x)
        arguments += [printed["path"], folder / f"{name}.npy", folder / f"{name}.npz"]
        made[name] = (flow, x, printed)
    told = consume(STRANGER, *arguments, cwd="/")
    assert told["foreign"] == [] and "" not in told["path"]
    return {
        name: (*parts, np.load(folder / f"{name}.npz"), answers)
        for (name, parts), answers in zip(made.items(), told["answers"], strict=True)
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_stranger_gets_the_answers_of_the_flow(name, exported):
    flow, x, printed, arrays, told = exported[name]
    assert told["signatures"] == sorted(SIGNATURES)
    assert told["name"] == ("images" if flow.pixels else "x") and printed["version"] == 1
    assert printed["largest_differences"]["log_prob"] <= 1e-3 and len(x) == (297 if name == "grey" else 50)
    if name == "grey":
        assert printed["tflite"]["model.tflite"]["largest_log_prob_difference"] <= 1e-3
    live = flow.log_prob(x).numpy()
    assert live.std() > 0.1
    np.testing.assert_allclose(arrays["log_prob"], live, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(arrays["served"], arrays["log_prob"])
    np.testing.assert_allclose(arrays["latents"], flow.encode(x), rtol=0, atol=1e-3)
    bits, excess = arrays["explain_bits"], arrays["explain_excess"]
    np.testing.assert_allclose(bits, flow.explain(x), rtol=0, atol=1e-3)
    sums = -np.log(2) * bits.reshape(len(x), -1).sum(axis=1)
    np.testing.assert_allclose(sums, arrays["log_prob"], rtol=0, atol=1e-3)
    usual = (
        usual_bits(flow.explain, load_dataset(DataConfig("digits")).valid)
        if name == "grey"
        else np.full(bits.shape[1:], 2)
    )
    np.testing.assert_allclose(bits - excess, np.broadcast_to(usual, bits.shape), atol=1e-4)
    for part in ("alone", "hundred"):
        np.testing.assert_allclose(arrays[part], arrays["log_prob"][:5], rtol=0, atol=1e-3)
    if flow.pixels:
        np.testing.assert_array_equal(arrays["decoded"], x)
        assert arrays["decoded"].dtype == arrays["samples"].dtype == np.uint8
        np.testing.assert_allclose(arrays["bits_per_dim"], flow.bits_per_dim(x), rtol=1e-4)
    else:
        np.testing.assert_allclose(arrays["decoded"], x, atol=1e-4)
        assert "bits_per_dim" not in arrays


@pytest.mark.parametrize("name", MODELS)
def test_the_seed_decides_in_every_process(name, exported):
    flow, _, printed, arrays, told = exported[name]
    assert arrays["samples"].shape == (6, *flow.event_shape)
    np.testing.assert_array_equal(arrays["samples"], arrays["again"])
    assert (arrays["samples"] != arrays["others"]).any()
    assert (arrays["fresh"] != arrays["fresh_again"]).any() and (arrays["noise"] != arrays["other_noise"]).all() == (
        flow.pixels is not None
    )
    assert arrays["cold"].astype(float).std(axis=0).mean() < arrays["samples"].astype(float).std(axis=0).mean()
    sample = tf.saved_model.load(printed["path"]).signatures["sample"]
    here = sample(num_samples=tf.constant(6), seed=tf.constant(7, tf.int64), temperature=tf.constant(1.0))
    if flow.pixels:
        np.testing.assert_array_equal(here[told["name"]], arrays["samples"])
    else:
        np.testing.assert_allclose(here[told["name"]], arrays["samples"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_empty_batches_and_wrong_input(name, exported):
    flow, _, _, arrays, told = exported[name]
    empty = {key: arrays[key].shape for key in arrays if key.startswith("empty_")}
    scores = ("log_prob", "bits_per_dim") if flow.pixels else ("log_prob",)
    expected = {f"empty_{s}_{score}": (0,) for s in ("serving_default", "log_prob") for score in scores}
    expected |= {f"empty_score_{key}": (0,) for key in (*scores, "percentile", "typicality", "foreign")}
    expected |= {f"empty_noise_{key}": (0,) for key in (*scores, "standard_error")}
    expected |= {"empty_encode_latents": (0, flow.dimensions)}
    expected |= {f"empty_explain_{key}": (0, *flow.event_shape[:2]) for key in ("bits", "excess")}
    expected |= {f"empty_{signature}": (0, *flow.event_shape) for signature in ("decode", "sample")}
    assert empty == expected
    sides = str(list(flow.event_shape))[1:-1].replace(" ", "")
    assert len(told["wrong"]) == 9 + 11
    messages = {
        "nan decode": "rows of latents that are nan or infinite:] [2] [expected none",
        "inf decode": "rows of latents that are nan or infinite:] [2]",
        "-1 sample": "num_samples is] [-1] [expected 0 to ",
        "1000000000 sample": "num_samples is] [1000000000] [expected 0 to ",
        "-1 log_prob_with_noise": "num_samples is] [-1] [expected 1 to 4096",
        "1000000000 log_prob_with_noise": "num_samples is] [1000000000] [expected 1 to 4096",
        "0.0 temperature": "temperature is] [0] [expected a positive number",
        "-1.0 temperature": "temperature is] [-1] [expected a positive number",
        "nan temperature": "temperature is] [nan] [expected a positive number",
        "inf temperature": "temperature is] [inf] [expected a positive number",
    }
    for what, said in told["wrong"].items():
        kind, signature = what.split()
        if what in messages:
            assert said.startswith("error: ") and messages[what] in said, (what, said)
            continue
        wanted = f"[?,{flow.dimensions if signature == 'decode' else sides}]" if kind != "dtype" else None
        wanted = wanted or ("expected to be a uint8 tensor" if flow.pixels else "expected to be a float tensor")
        assert said.startswith("error: ") and wanted in said, (what, said)


@pytest.mark.parametrize("name", MODELS)
def test_a_score_stands_among_the_held_out_ones(name, exported):
    flow, _, _, arrays, _ = exported[name]
    held_out = HELD_OUT.get(name)
    if held_out is None:
        held_out = flow.log_prob(load_dataset(DataConfig("digits")).valid._array).numpy()
    scores = arrays["score_log_prob"]
    np.testing.assert_array_equal(scores, arrays["log_prob"])
    below, above = ((held_out < s).sum() for s in scores), ((held_out > s).sum() for s in scores)
    m, below, above = len(held_out), np.array(list(below)), np.array(list(above))
    assert 0 < below.mean() < m
    # Scores of the graph and of the live model may differ by a rounding: one place among m.
    np.testing.assert_allclose(arrays["score_percentile"], 50 * (below + m - above) / m, atol=100 / m)
    two_sided = 2 * np.minimum(1 + m - above, 1 + m - below) / (m + 1)
    np.testing.assert_allclose(arrays["score_typicality"], np.minimum(1, two_sided), atol=2 / m)


@pytest.mark.parametrize("name", MODELS)
def test_more_draws_of_noise(name, exported):
    """log (1/K) sum_k p(x + u_k), and the standard error that the delta method gives."""
    flow, x, _, arrays, _ = exported[name]
    draws = [flow.log_prob(x[:20], tf.random.stateless_uniform(flow.event_shape, [3, k])) for k in range(5)]
    draws = np.array(draws, np.float64)
    np.testing.assert_allclose(arrays["noisy_log_prob"], logsumexp(draws, axis=0) - np.log(5), atol=1e-3)
    weights = np.exp(draws - draws.max(axis=0))
    error = weights.std(axis=0, ddof=1) / 5**0.5 / weights.mean(axis=0)
    np.testing.assert_allclose(arrays["noisy_standard_error"], error, rtol=1e-2, atol=1e-5)
    assert np.isnan(arrays["one"]).all() and (error.max() > 0.03) == (flow.pixels is not None)


def test_versions_count_up_and_a_failure_leaves_nothing(tmp_path, monkeypatch):
    flow = build(MODELS["vector"])
    with subprocess.Popen(["true"]) as process:
        ended = process.pid
    x = np.random.RandomState(0).randn(4, 3).astype(np.float32)
    (tmp_path / "model" / "9").mkdir(parents=True)
    (tmp_path / "model" / "9" / "theirs").write_text("kept")
    for pid in (ended, 1):
        (tmp_path / "model" / f"partial-{pid}").mkdir()
    (tmp_path / "model" / f"partial-{ended}" / "saved_model.pb").write_text("what a kill amid writing leaves")
    known = reference(flow.event, x)
    first = export.export(flow, tmp_path / "model", x, known, tflite=False)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "model").rglob("*") if p.is_file()}
    second = export.export(flow, tmp_path / "model", x, known, tflite=False)
    assert [first["version"], second["version"]] == [10, 11]
    own = [p for p in before if p.parent.name != "model" and p.name not in ("theirs", "export.json")]
    assert first["size_bytes"] == sum(p.stat().st_size for p in own)
    assert json.loads((tmp_path / "model" / "11" / "export.json").read_text())["version"] == 11

    def refuse(*arguments):
        raise UserError("as if it differed")

    for where, broken in ((export.gate, "answers_of"), (export, "Signatures")):
        with monkeypatch.context() as patch, pytest.raises(UserError):
            patch.setattr(where, broken, refuse)
            export.export(flow, tmp_path / "model", x, known, tflite=False)
    folders = sorted(p.name for p in (tmp_path / "model").iterdir() if p.is_dir())
    assert folders == ["10", "11", "9", "partial-1"]  # of a live process
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in before.items() if p.parent.name != "model")
    labels = (tmp_path / "model" / "models.config").read_text()
    assert [int(value) for value in re.findall(r"value: (\d+)", labels)] == [11, 10]  # canary, stable
