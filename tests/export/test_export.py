"""A SavedModel in a stranger's process, which has TensorFlow and nothing of ours, answers as the flow does."""

import subprocess

import numpy as np
import pytest
import tensorflow as tf
from commands import consume, digits_run, figures

import nvp_tf
from nvp_tf import export
from nvp_tf.config import DataConfig, ModelConfig, PixelsConfig, RealNVPConfig, VectorRealNVPConfig
from nvp_tf.data import load
from nvp_tf.errors import UserError
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
    try:
        wrong["shape decode"] = str(model["decode"](latents=tf.zeros((1, 1))).keys())
    except Exception as error:
        wrong["shape decode"] = "error: " + str(error)
    latents = values("encode", x)["latents"]
    empty = tf.zeros((0, *x.shape[1:]), x.dtype)
    np.savez(outputs, **values("log_prob", x), served=values("serving_default", x)["log_prob"], latents=latents,
             decoded=model["decode"](latents=tf.constant(latents))[name],
             alone=np.concatenate([values("log_prob", x[i : i + 1])["log_prob"] for i in range(5)]),
             hundred=values("log_prob", np.resize(x, (100, *x.shape[1:])))["log_prob"][:5],
             samples=draw(6, 7), again=draw(6, 7), others=draw(6, 8), still=draw(2, 7, 0.0),
             **{f"empty_{s}_{k}": a for s in ("serving_default", "log_prob", "encode")
                for k, a in values(s, empty).items()},
             empty_decode=model["decode"](latents=tf.zeros((0, latents.shape[1])))[name], empty_sample=draw(0, 7))
    answers.append({"name": name, "signatures": sorted(model), "wrong": wrong})
foreign = [m for m in sys.modules if m.split(".")[0] in ("nvp_tf", "tensorflow_probability", "tf_keras")]
print(json.dumps({"answers": answers, "foreign": foreign, "path": sys.path}))
"""
REAL_NVP = RealNVPConfig(scales=1, couplings=1, filters=3, blocks=1)
MODELS = {
    "grey": None,  # the session's run, by bin/export.py
    "colour": ModelConfig((4, 4, 3), REAL_NVP, PixelsConfig(256)),
    "vector": ModelConfig((3,), VectorRealNVPConfig(couplings=2, hidden_units=8, batch_norm=True)),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """{name: (flow, x, what export printed, the stranger's arrays, its other answers)}."""
    folder = tmp_path_factory.mktemp("exports")
    made, arguments = {}, []
    for name, config in MODELS.items():
        if config is None:
            path, _ = digits_run()
            flow, x = nvp_tf.load(path), load(DataConfig("digits")).test._array.numpy()
            printed = figures("export", f"--run_dir={path}", f"--export_dir={folder / name}")
        else:
            flow, rng = build(config), np.random.RandomState(0)
            for weight in flow.weights:  # Away from the identity: a wrong graph hides there.
                noise = 0.1 * rng.randn(*weight.shape)
                weight.assign(weight + (abs(noise) if "variance" in weight.path else noise))
            shape = (50, *flow.event_shape)
            x = rng.randint(0, 256, shape).astype(np.uint8) if flow.pixels else rng.randn(*shape).astype(np.float32)
            printed = export.export(flow, folder / name, x)
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
    assert told["signatures"] == ["decode", "encode", "log_prob", "sample", "serving_default"]
    assert told["name"] == ("images" if flow.pixels else "x") and printed["version"] == 1
    assert printed["log_prob_difference"] <= 1e-3 and len(x) == (297 if name == "grey" else 50)
    live = flow.log_prob(x).numpy()
    assert live.std() > 0.1
    np.testing.assert_allclose(arrays["log_prob"], live, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(arrays["served"], arrays["log_prob"])
    np.testing.assert_allclose(arrays["latents"], flow.encode(x), rtol=0, atol=1e-3)
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
    np.testing.assert_array_equal(arrays["still"][0], arrays["still"][1])
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
    expected |= {"empty_encode_latents": (0, flow.dimensions)}
    expected |= {f"empty_{signature}": (0, *flow.event_shape) for signature in ("decode", "sample")}
    assert empty == expected
    sides = str(list(flow.event_shape))[1:-1].replace(" ", "")
    assert len(told["wrong"]) == 10
    for what, said in told["wrong"].items():
        kind, signature = what.split()
        wanted = f"[?,{flow.dimensions if signature == 'decode' else sides}]" if kind != "dtype" else None
        wanted = wanted or ("expected to be a uint8 tensor" if flow.pixels else "expected to be a float tensor")
        assert said.startswith("error: ") and wanted in said, (what, said)


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
    first = export.export(flow, tmp_path / "model", x)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "model").rglob("*") if p.is_file()}
    second = export.export(flow, tmp_path / "model", x)
    assert [first["version"], second["version"]] == [10, 11]
    assert first["size_bytes"] == sum(p.stat().st_size for p in before) - len("kept")

    def refuse(*arguments):
        raise UserError("as if it differed")

    for broken in ("_compare", "Served"):
        with monkeypatch.context() as patch, pytest.raises(UserError):
            patch.setattr(export, broken, refuse)
            export.export(flow, tmp_path / "model", x)
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["10", "11", "9", "partial-1"]  # of a live process
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in before.items())


def test_a_model_that_answers_otherwise_is_refused(tmp_path, monkeypatch):
    flow = build(MODELS["vector"])
    right = type(flow).log_prob
    x = np.ones((2, 3), np.float32)
    drift = iter([0.0] + [0.1] * 9)  # None while it is traced, then 0.1 nats.

    @tf.autograph.experimental.do_not_convert
    def drifting(self, v):
        return right(self, v) + next(drift)

    monkeypatch.setattr(type(flow), "log_prob", drifting)
    with pytest.raises(UserError, match=r"log_prob differs by 0\.\d+ nats, expected at most 0\.001"):
        export.export(flow, tmp_path, x)
    assert not list(tmp_path.iterdir())
