"""The report of a small classifier and of a small flow: resumed, interrupted, written; the model itself untouched."""

import keras
import numpy as np
import pytest
from cases import MODELS
from commands import error_line, figures, run
from rectified import F64, L

from nvp_tf.errors import UserError
from nvp_tf.flatness import report_data, report_files, report_page
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.kept import Kept, examples_kept
from nvp_tf.flatness.measures import MEASURES, TIERS
from nvp_tf.flatness.models import subject
from nvp_tf.flatness.report import FLATTEST, ITSELF, SHARPER, Report
from nvp_tf.flatness.report import MODELS as TWINS
from nvp_tf.flatness.rescaling import Rescaling, predictions
from nvp_tf.flatness.twins import flattest


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """(folder of model.keras and data.npz, the model): convolution, batch norm, softmax, in float32."""
    folder = tmp_path_factory.mktemp("classifier")
    layers = [L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="norm"), L.ReLU(), L.MaxPooling2D(2), L.Flatten()]
    model = keras.Sequential([keras.Input((6, 6, 1)), *layers, L.Dense(3, activation="softmax", name="last")])
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 6, 6, 1)).astype("float32"), rng.integers(0, 3, 40)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=3, verbose=0)
    model.save(folder / "model.keras")
    np.savez(folder / "data.npz", x_train=x, y_train=y)
    return folder, model


def source_of(classifier, examples=24):
    folder, _ = classifier
    return report_data.of_file(str(folder / "model.keras"), str(folder / "data.npz"), examples)


@pytest.fixture(scope="module")
def reported(classifier, tmp_path_factory):
    """(report, results, lines said, folder)."""
    out, said = tmp_path_factory.mktemp("report"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TIERS, "full", TIERS["brief"])  # every measure, with fewer probes
        made = Report(source_of(classifier), out, minutes=60.0, say=said.append)
        return made, made.run(), said, out


def test_twins_are_the_same_function_and_not_as_flat(reported):
    _, results, said, _ = reported
    assert "full settings" in "\n".join(said) and "products, about" in "\n".join(said)
    for twin in (SHARPER, FLATTEST):
        assert results[f"{twin} change"]["relative"] < 1e-9
    values = {model: results[f"{model}/largest eigenvalue"]["value"] for model in TWINS}
    assert values[SHARPER] >= 0.99e4 * values[ITSELF]
    assert results[f"{FLATTEST}/trace"]["value"] < 1.05 * results[f"{ITSELF}/trace"]["value"]


def test_the_unmoved_are_unmoved_and_the_fragile_are_not(reported):
    _, results, *_ = reported
    for name, measure in MEASURES.items():
        values = [results.get(f"{model}/{name}", {}).get("value") for model in (ITSELF, SHARPER)]
        if values[0] is not None and measure.unmoved:
            assert values[1] == pytest.approx(values[0], rel=1e-8), name
        elif values[0] is not None:
            assert not 0.1 < values[1] / values[0] < 10, name


def test_the_model_and_its_statistics_are_as_they_were(classifier, reported):
    _, model = classifier
    made = reported[0]
    for before, after in zip(model.weights, made.source.subject.model.weights, strict=True):
        np.testing.assert_array_equal(after.numpy(), before.numpy().astype("float64"))


def test_results_are_kept_and_taken_up(classifier, reported):
    *_, out = reported
    said = []
    again = Report(source_of(classifier), out, minutes=60.0, say=said.append)
    assert again.kept.taken_up and set(again.kept.values) == set(reported[0].kept.values)
    assert "results are in" in "\n".join(said)
    assert source_of(classifier, 20).fingerprint != again.source.fingerprint  # other examples begin anew


def test_an_interruption_keeps_what_is_done(classifier, reported, tmp_path, monkeypatch):
    """The pages are of what there is, and the next run computes only the rest."""
    _, results, *_ = reported
    kept = Kept(tmp_path / "measures.json", reported[0].kept.made_of)
    kept.values = {name: value for name, value in results.items() if not name.startswith(("slice/", "halves/loss"))}
    kept.write()
    made = Report(source_of(classifier), tmp_path)
    monkeypatch.setattr(made, "_twins", lambda: None)
    monkeypatch.setattr(made, "_slices", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        made.run()
    assert set(made.kept.values) == {name for name in results if not name.startswith("slice/")}
    files = report_files.write_report(made.kept.values, "model", tmp_path)
    assert "index.html" in files and "ratios.png" in files and "slices.png" not in files


def test_page_and_table(reported):
    _, results, _, out = reported
    files = report_files.write_report(results, "model.keras", out)
    assert sorted(files) == ["index.html", "ratios.png", "report.md", "slices.png", "spectrum.png"]
    text, html = (out / "report.md").read_text(), (out / "index.html").read_text()
    assert "2302.07011" in text and "not thereby predictive" in text
    assert ("no minimum" in html) is not results["smallest"]["is_minimum"]
    for name in MEASURES:
        assert (f"| {name.replace('|', '&#124;')} |" in text) == ("value" in results.get(f"{ITSELF}/{name}", {})), name
    assert "nan" not in text.lower().split() and len(report_page.rows(results)[0]) == len(report_page.HEADS)


def test_the_sharper_model_as_a_file(classifier, reported, tmp_path):
    """Factors of two: in float32 the predictions are equal to the bit, and the loss is still compiled."""
    folder, model = classifier
    made, results, *_ = reported
    file = report_files.check_write(str(tmp_path / "sharper.keras"), made.source)
    report_files.write_sharper(results, made.source, file)
    other = keras.models.load_model(file)
    x = np.load(folder / "data.npz")["x_train"]
    np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))
    assert not np.array_equal(other.get_layer("last").kernel, model.get_layer("last").kernel)
    assert other.loss == "sparse_categorical_crossentropy"
    with pytest.raises(UserError, match=r"expected a name that ends in \.keras"):
        report_files.check_write("sharper.h5", made.source)


@pytest.mark.slow
def test_a_flow(tmp_path):
    case = MODELS["nice_image"]
    made = subject(case.make(seed=1), case.inputs(16).astype("uint8"))
    source = report_data.Source(made, lambda: case.make(seed=1), case.inputs(16).astype("uint8"), tmp_path)
    said = []
    results = Report(source, tmp_path, minutes=1e-6, say=said.append).run()
    assert "least settings" in "\n".join(said)
    assert "absent" in results[f"{ITSELF}/margin"] and "absent" in results[f"{ITSELF}/accuracy"]
    assert results[f"{SHARPER}/largest eigenvalue"]["value"] > 0.9e4 * results["eigenvalues"]["values"][0]
    assert results[f"{SHARPER}/largest eigenvalue of D H D"]["value"] == pytest.approx(
        results[f"{ITSELF}/largest eigenvalue of D H D"]["value"], rel=1e-6
    )


def test_a_model_that_nothing_can_be_rescaled_in(tmp_path):
    """Measured all the same, with the layer that is in the way by its name."""
    layers = [L.Dense(3, activation="tanh", name="bend", **F64), L.Dense(2, name="last", **F64)]
    model = keras.Sequential([keras.Input((2,), **F64), *layers])
    rng = np.random.default_rng(0)
    made = subject(model, rng.standard_normal((9, 2)), rng.standard_normal((9, 2)), loss="mean_squared_error")
    source = report_data.Source(made, lambda: None, rng.standard_normal((9, 2)), tmp_path / "bend.keras")
    results = Report(source, tmp_path, minutes=1e-6).run()
    assert "bend: the activation tanh is not positively homogeneous" in results["no twins"]
    files = report_files.write_report(results, "bend", tmp_path)
    assert "slices.png" in files and "ratios.png" not in files
    assert "No equivalent model to show" in (tmp_path / "report.md").read_text()
    with pytest.raises(UserError, match="there is no sharper model to write"):
        report_files.write_sharper(results, source, tmp_path / "s.keras")


def test_flattest_of_two_layers_is_the_closed_form():
    """a^4 = tr H11 / tr H22 by trace, from a network whose layers are far from balanced."""
    rng = np.random.default_rng(0)
    model = keras.Sequential(
        [
            keras.Input((3,), **F64),
            L.Dense(4, activation="relu", use_bias=False, **F64),
            L.Dense(1, use_bias=False, **F64),
        ]
    )
    model.set_weights([30 * rng.standard_normal((3, 4)), rng.standard_normal((4, 1)) / 30])
    x = rng.standard_normal((50, 3))
    made = subject(model, x, model(x).numpy(), loss="mean_squared_error")
    curvature = Curvature.of(made)
    rescaling = Rescaling(made.model)
    (factors,) = flattest(curvature, rescaling, probes=400).values()
    dense = np.stack([curvature.hessian(unit) for unit in np.eye(curvature.dim)])
    diagonal = np.diag(dense)
    by_channel = (diagonal[:12].reshape(3, 4).sum(axis=0) / diagonal[12:]) ** 0.25
    np.testing.assert_allclose(factors, by_channel, rtol=0.3)
    other = rescaling.apply({rescaling.units[0].name: factors}, x)
    np.testing.assert_allclose(predictions(other, x), predictions(made.model, x), rtol=1e-9)


def test_arrays_by_the_names_that_people_give_them(tmp_path):
    x, y = np.zeros((4, 2)), np.arange(4)
    for names in (("x", "y"), ("x_train", "y_train"), ("images", "labels"), ("x_test", "y_test")):
        np.savez(tmp_path / "data.npz", **dict(zip(names, (x, y), strict=True)))
        found = report_data.read_arrays(str(tmp_path / "data.npz"))
        np.testing.assert_array_equal(found[1], y)
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])
    assert len(report_data.read_arrays(str(tmp_path / "data.npz"))[0]) == 4
    for arrays, why in (({"a": x}, "has the arrays a, expected x and y"), ({"x": x, "y": y[:2]}, "as many rows")):
        np.savez(tmp_path / "data.npz", **arrays)
        with pytest.raises(UserError, match=why):
            report_data.read_arrays(str(tmp_path / "data.npz"))
    (tmp_path / "data.npz").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"cannot be read as an \.npz file"):
        report_data.read_arrays(str(tmp_path / "data.npz"))


def test_kept_says_what_json_cannot(tmp_path):
    kept = Kept(tmp_path / "kept.json", {"of": 1})
    kept.get("a", lambda: {"x": float("nan"), "y": [float("inf"), 1.0]})
    again = Kept(tmp_path / "kept.json", {"of": 1}).values["a"]
    assert np.isnan(again["x"]) and again["y"] == [np.inf, 1.0]
    assert Kept(tmp_path / "kept.json", {"of": 2}).values == {}
    (tmp_path / "kept.json").write_text("{")
    with pytest.raises(UserError, match="is corrupt"):
        Kept(tmp_path / "kept.json", {"of": 1})


def test_command(classifier, tmp_path):
    folder, _ = classifier
    given = [f"--model={folder / 'model.keras'}", f"--data={folder / 'data.npz'}", f"--out={tmp_path / 'r'}"]
    found = figures("flatness", "report", *given, "--minutes=0.001", f"--write={tmp_path / 's.keras'}")
    assert found["sharper_by"] > 9e3 and max(found["change_of_predictions"].values()) < 1e-9
    assert (tmp_path / "r" / "index.html").is_file() and (tmp_path / "s.keras").is_file()
    assert found["examples"] == examples_kept(tmp_path / "r") == 16, "as few as there may be, for so short a time"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["seven"], "expected one of one, two, three"),
        (["report"], "report needs --run_dir, or --model and --data"),
        (["report", "--model=a.keras"], "report needs --run_dir, or --model and --data"),
        (["density"], "density needs --run_dir"),
        (["report", "--run_dir=nowhere"], "nowhere is not a run"),
    ],
)
def test_mistakes_are_one_line(arguments, why):
    assert why in error_line(run("flatness", *arguments))
