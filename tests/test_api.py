"""The package in Python: runs, a person's own arrays, flows; the README's examples as they are printed."""

import json
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import randomize
from commands import ENVIRONMENT, ROOT, digits_run, error_line, figures, run

import nvp_tf
from nvp_tf.data.arrays import from_arrays
from nvp_tf.errors import UserError

BRIEF = ["train.steps=6", "train.evaluate_every=3", "train.batch_size=7", "train.ema_decay=0.5"]
SMALL = [f"model.flow.{key}" for key in ("scales=1", "couplings=1", "filters=3", "blocks=0")]
RNG = np.random.RandomState(0)
# name: (preset, changes, data, event shape, levels)
DATA = {
    "grey": ("realnvp_digits", SMALL, RNG.randint(0, 256, (40, 4, 4)), (4, 4, 1), 256),
    "colour": ("realnvp_digits", SMALL, RNG.randint(0, 256, (40, 4, 6, 3)).astype(np.uint8), (4, 6, 3), 256),
    "levels": (
        "nice_digits",
        ["model.flow.hidden_units=8"],
        from_arrays(RNG.randint(0, 5, (40, 3, 3)).astype(np.int64), levels=5),
        (3, 3, 1),
        5,
    ),
    "vectors": ("realnvp_two_moons", ["model.flow.couplings=2"], RNG.randn(40, 3), (3,), None),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in ("levels", "vectors"))) for n in DATA]
)
def test_train_on_own_arrays(name, tmp_path):
    preset, changes, data, shape, levels = DATA[name]
    config = nvp_tf.preset(preset, *changes, *BRIEF)
    flow = nvp_tf.train(config, data, tmp_path / "run", progress=False)
    assert flow.event_shape == shape and (flow.pixels and flow.pixels.levels) == levels
    x = (data if isinstance(data, np.ndarray) else data.test._array.numpy())[:5].reshape(-1, *shape)
    check_calls(flow, x.astype(np.uint8 if levels else np.float32))
    again = nvp_tf.load(tmp_path / "run")
    np.testing.assert_array_equal(again.log_prob(x[:2]), flow.log_prob(x[:2]))
    with pytest.raises(UserError, match=r"another config \(train.seed: 0 != 5\)"):
        nvp_tf.train(nvp_tf.preset(preset, *changes, *BRIEF, "train.seed=5"), data, tmp_path / "run", progress=False)


def test_load():
    path, _ = digits_run()
    images = RNG.randint(0, 17, (6, 8, 8, 1)).astype(np.uint8)
    for weights in ("best", "last"):
        check_calls(nvp_tf.load(path, weights), images)
    flow = nvp_tf.load(str(path))
    outside = np.where(np.arange(64).reshape(1, 8, 8, 1) == 5, 17, images[:1]).astype(np.uint8)
    assert flow.log_prob(outside).numpy() == -np.inf and np.isposinf(flow.bits_per_dim(outside))
    with pytest.raises(UserError, match="weights is 'worst', expected one of best, last"):
        nvp_tf.load(path, "worst")


def check_calls(flow, x):
    """Every method, on arrays and on tensors."""
    log_prob = flow.log_prob(x).numpy()
    assert log_prob.shape == (len(x),) and np.isfinite(log_prob).all()
    np.testing.assert_allclose(flow.log_prob(tf.constant(x)), log_prob, atol=1e-4)
    latents = flow.encode(x)
    assert latents.shape == (len(x), flow.dimensions)
    back = flow.decode(latents.numpy())
    if flow.pixels is None:
        np.testing.assert_allclose(back, x, atol=1e-4)
        with pytest.raises(UserError, match="use log_prob"):
            flow.bits_per_dim(x)
    else:
        np.testing.assert_array_equal(back, x)
        np.testing.assert_allclose(flow.bits_per_dim(x), -log_prob / (flow.dimensions * np.log(2)), rtol=1e-5)
    samples = flow.sample(3, seed=1)
    assert samples.shape == (3, *flow.event_shape) and samples.dtype == back.dtype
    np.testing.assert_array_equal(samples, flow.sample(3, seed=1))
    assert (samples.numpy() != flow.sample(3, seed=2).numpy()).any()
    for wrong in ({"num_samples": -1}, *({"num_samples": 1, "temperature": t} for t in (0.0, -1.0, np.nan, np.inf))):
        with pytest.raises(UserError, match=r"(num_samples|temperature) is .*expected"):
            flow.sample(**wrong)


def test_names():
    assert set(nvp_tf.__all__) <= set(dir(nvp_tf))
    with pytest.raises(AttributeError, match=r"nvp_tf has no 'lode', it has .*load"):
        nvp_tf.lode  # noqa: B018


HELD_OUT = RNG.randn(50, 3).astype(np.float32)


def vectors():
    config = nvp_tf.preset("realnvp_two_moons", "model.event_shape=[3]", "model.flow.couplings=2")
    return randomize(nvp_tf.build(config.model), spread=0.3)


def test_evaluate():
    flow, data = vectors(), from_arrays(RNG.randn(40, 3), test=HELD_OUT)
    found = nvp_tf.evaluate(flow, HELD_OUT)
    scores = flow.log_prob(HELD_OUT).numpy()
    assert found["examples"] == 50 and found["bits_per_dim"] is None
    assert found["log_prob"] == pytest.approx(scores.mean(), rel=1e-5)
    assert nvp_tf.evaluate(flow, data)["log_prob"] == found["log_prob"]
    assert nvp_tf.evaluate(flow, data, "valid")["examples"] == 4
    assert nvp_tf.evaluate(flow, HELD_OUT, limit=7)["log_prob"] == pytest.approx(scores[:7].mean(), rel=1e-5)
    for wrong, message in (
        (RNG.randn(4, 2), "arrays has examples of 2, expected 3 as the flow has"),
        (from_arrays(RNG.randn(9, 2), name="mine"), "mine has examples of 2, expected 3"),
        (HELD_OUT * np.nan, "arrays has NaN or infinite values"),
    ):
        with pytest.raises(UserError, match=message):
            nvp_tf.evaluate(flow, wrong)
    with pytest.raises(UserError, match="split is 'all', expected one of train, valid, test"):
        nvp_tf.evaluate(flow, data, "all")


def test_a_live_flow_says_what_its_export_does(tmp_path):
    flow, data = vectors(), from_arrays(RNG.randn(300, 3), test=HELD_OUT)
    known = nvp_tf.reference(flow, data).ranks(HELD_OUT, flow.log_prob(HELD_OUT))
    score = tf.saved_model.load(nvp_tf.export(flow, data, tmp_path / "model", tflite=False)["path"]).signatures["score"]
    for name, answer in score(x=HELD_OUT).items():  # a last digit passes one of 30 held-out examples
        np.testing.assert_allclose(answer, known.get(name, answer), atol=100 / 30 if name == "percentile" else 0.07)


def test_export(tmp_path):
    """Twice: the folder `nvp_tf/exporting` does not take the function's place."""
    flow = vectors()
    made = [nvp_tf.export(flow, HELD_OUT, tmp_path / "model", examples=20, tflite=False) for _ in range(2)]
    assert [one["version"] for one in made] == [1, 2]
    written = json.loads((tmp_path / "model" / "2" / "export.json").read_text())
    assert (written["data"], written["checked_examples"], written["reference_scores"]) == ("arrays", 20, 25)
    model = tf.saved_model.load(made[0]["path"]).signatures
    np.testing.assert_allclose(model["log_prob"](x=HELD_OUT)["log_prob"], flow.log_prob(HELD_OUT), atol=1e-3)


def test_load_does_not_import_the_training_loop():
    script = (
        f"import nvp_tf, sys; nvp_tf.load({str(digits_run()[0])!r}); "
        "print([name for name in sys.modules if name.startswith('nvp_tf.training')])"
    )
    found = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True)
    assert found.stdout == "[]\n", found.stderr


def test_a_saved_flow_in_another_process(tmp_path):
    flow = vectors()
    flow.save(tmp_path / "flow.keras")
    np.save(tmp_path / "x.npy", HELD_OUT)
    script = (
        "import keras, numpy; from nvp_tf import Flow; flow = keras.saving.load_model('flow.keras'); "
        "numpy.save('scores.npy', flow.log_prob(numpy.load('x.npy'))); assert isinstance(flow, Flow)"
    )
    line = [sys.executable, "-c", script]
    done = subprocess.run(line, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "scores.npy").tobytes() == flow.log_prob(HELD_OUT).numpy().tobytes()


BINARY = {"x_train": RNG.randint(0, 2, (40, 4, 4)), "y_train": np.arange(40), "x_test": RNG.randint(0, 2, (6, 4, 4))}


def test_commands_take_the_data_of_a_run_from_a_file(tmp_path):
    """Under the names that Keras has, and with the levels that the model has."""
    config = nvp_tf.preset("realnvp_digits", *SMALL, *BRIEF, "model.pixels.levels=2")
    folder, file = tmp_path / "run", tmp_path / "data.npz"
    flow = nvp_tf.train(config, BINARY, folder, progress=False)
    np.savez(file, **BINARY)
    found = figures("evaluate", f"--run_dir={folder}", f"--data_dir={file}", "--noprogress")
    assert (found["examples"], found["dataset"], flow.event.levels) == (6, "arrays", 2)
    assert found["log_prob"] == pytest.approx(nvp_tf.evaluate(flow, BINARY)["log_prob"], rel=1e-5)
    labelled = nvp_tf.evaluate(flow, (BINARY["x_test"], np.arange(6)))
    assert found["log_prob"] == pytest.approx(labelled["log_prob"], rel=1e-5)
    said = error_line(run("export", f"--run_dir={folder}", f"--export_dir={tmp_path / 'model'}"))
    assert "the data set 'arrays' is of arrays in Python, expected --data_dir=FILE" in said


def test_train_takes_arrays_by_their_names(tmp_path):
    """The levels of --set are the model's, and the data has no more; for other data they are refused."""
    np.savez(tmp_path / "data.npz", clothes=BINARY["x_train"], odd=BINARY["x_test"], y=np.arange(40))
    np.savez(tmp_path / "grey.npz", images=RNG.randint(0, 256, (40, 4, 4)), labels=np.arange(40))
    line = ["--preset=realnvp_digits", "--dataset=npz", f"--run_dir={tmp_path / 'run'}", "--noprogress"]
    line += [f"--set={change}" for change in (*SMALL, *BRIEF, "model.pixels.levels=2")]
    said = error_line(run("train", *line, f"--data_dir={tmp_path / 'grey.npz'}"))
    assert "npz has examples of 4x4x1 of 256 levels, expected 4x4x1 of 2 levels as in the config" in said
    names = ["--set=data.array=clothes", "--set=data.held_out=odd"]
    status, out, err = run("train", *line, *names, f"--data_dir={tmp_path / 'data.npz'}")
    assert status == 0 and json.loads(out)["examples"] == 6, err
    assert "data.npz: passed over: y\n" in err
    assert nvp_tf.load(tmp_path / "run").event.levels == 2


def test_readme_in_keras(monkeypatch, tmp_path):
    """The block that trains in Keras, for one epoch of a smaller flow."""
    example = next(block for block in python_blocks() if "flow.fit(" in block)
    for long, short in (
        ('"model.flow.couplings=2"', '"model.flow.couplings=1", "model.flow.filters=3", "model.flow.scales=1"'),
        ("epochs=20", "epochs=1"),
        ('"saved_models/mine")', '"saved_models/mine", tflite=False)'),
    ):
        assert example.count(long) == 1
        example = example.replace(long, short)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    exec(compile(example, "README.md", "exec"), names)
    assert isinstance(names["flow"], nvp_tf.Flow) and isinstance(names["flow"].optimizer, keras.optimizers.Adam)
    assert (tmp_path / "saved_models" / "mine" / "1" / "saved_model.pb").is_file()


def python_blocks():
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_readme_example(monkeypatch, tmp_path):
    """The first Python block of README.md that loads a run, on this session's run."""
    example = next(block for block in python_blocks() if "nvp_tf.load(" in block)
    loaded = re.search(r"nvp_tf\.load\(\s*[\"']([^\"']+)[\"']", example)
    assert loaded, example
    monkeypatch.chdir(tmp_path)  # What it writes, it writes here.
    exec(compile(example.replace(loaded[1], str(digits_run()[0])), "README.md", "exec"), {"__name__": "readme"})
