"""All figures of a run: what is drawn, kept, redrawn, and told; and the command's own words."""

import subprocess
import sys

import numpy as np
import pytest
from cases import MODELS, randomize
from commands import ROOT, error_line, leftovers, run, run_without_tensorflow
from PIL import Image

from nvp_tf.config.schema import Config, DataConfig, TrainConfig
from nvp_tf.figures import album, registry, temperature
from nvp_tf.models.build import build
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.runs.source import Source

SOME = ["moons", "sphere", "temperature", "spectrum"]


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "FIGURES", {name: registry.FIGURES[name] for name in SOME})
    model = MODELS["nice_image"].config
    made = RunDir.create(tmp_path / "run", Config(model, DataConfig("digits"), TrainConfig()))
    made.save_flow(randomize(build(model), 1, 0.3), best=True)
    made.write_metadata(1234, {})
    rows = [(10, 2.5, -12.0, 2.875), (20, 5.0, -11.0, 2.625), (30, 7.5, -11.5, 2.75)]
    names = ("step", "minutes", "valid_log_prob", "valid_bits_per_dim")
    made.write_metrics([dict(zip(names, row, strict=True)) for row in rows])
    return made


def test_draws_once(run_dir, tmp_path, capfd):
    out = tmp_path / "figures"
    result = album.draw_all(Source(run_dir.path), out, {"angles": 3})
    assert result["drawn"] == ["sphere", "temperature", "spectrum"] and result["kept"] == []
    assert list(result["unfit"]) == ["moons"]
    assert len(capfd.readouterr().err.splitlines()) == 4
    for name in result["drawn"]:
        Image.open(out / f"{name}.png").verify()
    page = (out / "index.html").read_text()
    for words in ("sphere.png", result["unfit"]["moons"], "1,234", "2.625 bits/dim", "at step 20", "30 of", "7.5 min",
                  "--angles=3", "&quot;couplings&quot;: 3", "cos(phi) cos(psi) u1"):  # fmt: skip
        assert words in page, words
    assert not leftovers(out)

    before = {file.name: file.stat().st_mtime_ns for file in out.glob("*.png")}
    again = album.draw_all(Source(run_dir.path), out, {"angles": 3})
    assert again["kept"] == result["drawn"] and again["drawn"] == [] and again["unfit"] == result["unfit"]
    assert before == {file.name: file.stat().st_mtime_ns for file in out.glob("*.png")}
    assert (out / "index.html").read_text() == page


def other_weights(run_dir, out):
    run_dir.save_flow(randomize(build(run_dir.config.model), 2, 0.3), best=True)


def lost_picture(run_dir, out):
    (out / "spectrum.png").unlink()


def damaged_record(run_dir, out):
    (out / album.RECORD).write_text("[1, 2")


def strange_record(run_dir, out):
    (out / album.RECORD).write_text('{"sphere": 3}')


ALL = ["sphere", "temperature", "spectrum"]


@pytest.mark.parametrize(
    ("change", "options", "seed", "redrawn"),
    [
        (other_weights, {"angles": 3}, 0, ALL),
        (lost_picture, {"angles": 3}, 0, ["spectrum"]),
        (damaged_record, {"angles": 3}, 0, ALL),
        (strange_record, {"angles": 3}, 0, ALL),
        (None, {"angles": 2}, 0, ["sphere"]),
        (None, {"angles": 3, "num": 2}, 0, ["temperature"]),
        (None, {"angles": 3}, 1, ALL),
    ],
)
def test_redraws_what_changed(change, options, seed, redrawn, run_dir, tmp_path):
    out = tmp_path / "figures"
    album.draw_all(Source(run_dir.path), out, {"angles": 3})
    if change:
        change(run_dir, out)
    assert album.draw_all(Source(run_dir.path, seed=seed), out, options)["drawn"] == redrawn


def test_interrupted(run_dir, tmp_path, monkeypatch):
    def interrupt(source, num=10):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(temperature, "draw", interrupt)
        with pytest.raises(KeyboardInterrupt):
            album.draw_all(Source(run_dir.path), tmp_path / "figures", {})
    assert "sphere.png" in (tmp_path / "figures" / "index.html").read_text()
    result = album.draw_all(Source(run_dir.path), tmp_path / "figures", {})
    assert (result["kept"], result["drawn"]) == (["sphere"], ["temperature", "spectrum"])


def test_examples_by_seed(run_dir, monkeypatch):
    from nvp_tf.data.arrays import from_arrays

    images = np.random.default_rng(0).integers(0, 17, (40, 3, 2, 1), dtype=np.uint8)

    def examples(seed, count):
        source = Source(run_dir.path, seed=seed)
        source.dataset = from_arrays(images, images, images, 17)
        return source.examples(count)

    np.testing.assert_array_equal(examples(1, 5), examples(1, 9)[:5])
    assert (examples(1, 5) != examples(2, 5)).any()
    assert len(np.unique(examples(1, 39).reshape(39, -1), axis=0)) == 39  # each at most once
    np.testing.assert_array_equal(examples(1, 100), images)


def test_list_is_quick(tmp_path):
    status, _, err = run_without_tensorflow(tmp_path, "figure", "--list")
    assert status == 0, err
    head, *rows = err.splitlines()
    assert [row.split()[0] for row in rows] == list(registry.FIGURES)
    assert all(row[head.index("thesis") - 2 : head.index("thesis")] == "  " for row in rows)
    script = "import sys; from nvp_tf.figures.registry import FIGURES as F; [f.options for f in F.values()];"
    script += "print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


# (what the line says, arguments after --run_dir)
REFUSED = [
    ("figure is 'spheres', expected one of flatness,", ["spheres", "--out=x.png"]),
    ("figure sphere takes no --num, expected --angles", ["sphere", "--out=x.png", "--num=3"]),
    ("expected a figure's name, --run_dir and --out", ["sphere"]),
    ("expected a figure's name, --run_dir and --out", ["--out=x.png"]),
    ("angles", ["sphere", "--out=x.png", "--angles=0"]),
]


def test_refusals_come_early(tmp_path):
    for says, arguments in REFUSED:
        assert says in error_line(run_without_tensorflow(tmp_path, "figure", *arguments, f"--run_dir={tmp_path}"))


def test_unfit_is_one_line(run_dir, tmp_path):
    out = tmp_path / "x.png"
    line = error_line(run("figure", "moons", f"--run_dir={run_dir.path}", f"--out={out}"))
    assert "moons needs a run on 2-D vectors" in line and not out.exists()
    assert ".tiff" in error_line(run("figure", "sphere", f"--run_dir={run_dir.path}", f"--out={tmp_path / 'x.tiff'}"))
