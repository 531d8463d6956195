"""The page of an export in a real browser: what it draws and says, its numbers beside the SavedModel's."""

import json
import subprocess

import numpy as np
import pytest
from commands import ROOT, digits_export, figures
from exports import saved_models
from held_out import reference
from PIL import Image

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.registry import load_dataset
from nvp_tf.event import Event
from nvp_tf.exporting import lite
from nvp_tf.exporting.page import material, writing
from nvp_tf.exporting.signatures import Signatures
from nvp_tf.files import cache_folder
from nvp_tf.models.scales import left_at
from nvp_tf.pictures.decoding import Fit
from nvp_tf.scoring import pictures
from nvp_tf.scoring.saved_model import SavedModel

pytestmark = pytest.mark.web
SIDES = {"small": (3, 5), "odd": (37, 53), "photo": (400, 300), "exact": (8, 8)}


@pytest.fixture(scope="module", autouse=True)
def environment():
    subprocess.run([ROOT / "bin" / "setup", "web"], check=True)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The page of an export of digits: (what is seen, x, the export's folder, the folder of pictures)."""
    folder = tmp_path_factory.mktemp("digits")
    model, _ = digits_export()
    figures("page", f"--model={model}", f"--out={folder / 'page'}")
    x = load_dataset(DataConfig("digits")).test._array.numpy()[:100]
    return seen(folder, x), x, model, folder / "files"


def seen(folder, x):
    files = folder / "files"
    files.mkdir()
    random = np.random.default_rng(0)
    for name, (width, height) in SIDES.items():
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(files / f"{name}.png")
    refused = files / "refused"
    refused.mkdir()
    (refused / "broken.jpg").write_bytes((files / "photo.png").read_bytes()[:5000])
    Image.new("1", (20000, 20000)).save(refused / "huge.png")
    (folder / "x.json").write_text(json.dumps(x.reshape(len(x), -1).tolist()))
    browser = [ROOT / ".venv-web" / "bin" / "python", ROOT / "tests" / "web" / "driver.py"]
    given = [folder / "page", folder / "x.json", files / "odd.png", refused / "broken.jpg", refused / "huge.png"]
    done = subprocess.run([*browser, *given], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_numbers_are_the_saved_models(digits):
    told, x, model, _ = digits
    gap = np.abs(np.array(told["log_prob"]) - SavedModel(model).score(x)["log_prob"])
    assert len(gap) == 100 and gap.max() < 1e-2 and told["changed"] == 0 and told["unexplained"] < 1e-2


def test_in_colour(tmp_path):
    flow, x, _ = saved_models()["colour"]
    known, folder = reference(flow.event, x, flow.log_prob(x).numpy()), tmp_path / "colour" / "1"
    folder.mkdir(parents=True)
    lite.write(Signatures(flow, known), folder)
    material.write(folder, known.scores.numbers, x, left_at(flow))
    about = {"version": 1, "created": "2026-11-29", "event_shape": flow.event.shape, "levels": 256, "prior": "normal"}
    (folder / "export.json").write_text(json.dumps(about))
    (folder / "saved_model.pb").touch()
    writing.write(folder.parent, tmp_path / "page", cache_folder())
    told = seen(tmp_path, x[:100])
    assert np.abs(np.array(told["log_prob"]) - flow.log_prob(x[:100])).max() < 1e-2 and told["changed"] == 0
    assert told["scales"] is None  # a model of one
    check_pixels(told, flow.event, tmp_path / "files")


def test_pictures_are_drawn_and_change(digits):
    told, *_ = digits
    first, cold, other = told["drawn"]["pictures"]
    assert len(first) == 24 and len(set(first)) > 12
    assert first != cold != other and (told["drawn"]["temperature"], told["drawn"]["seed"]) == ("0.05", "2")
    start, hovered, at_zero, held_out = told["between"]
    assert start != hovered != at_zero == held_out
    whole, nothing, *said = told["scales"]
    assert whole != nothing and said == ["from 100 % of its latents", "from 0 % of its latents"]


def test_a_dropped_picture_is_scored(digits):
    told, x, model, files = digits
    dropped = told["dropped"]
    [bits] = SavedModel(model).score(pictures.read(files / "odd.png", event(x), Fit())[None])["bits_per_dim"]
    assert dropped["score"].startswith(f"{bits:.2f} bits/dim") and told["sketched"] != dropped["score"]
    assert dropped["round-trip"] == "decoded again: all 64 values are back" and dropped["refused"] == ""
    assert (
        dropped["values"].startswith("foreign")
        and "typicality" in dropped["values"]
        and (dropped["bars"], dropped["maps"]) == (30, 2)
    )
    check_pixels(told, event(x), files)


def check_pixels(told, event, files):
    """Pictures become the model's pixels as `nvp_tf score --fit` brings them."""
    assert len(told["pixels"]) == len(SIDES)
    for name, pixels in told["pixels"].items():
        np.testing.assert_array_equal(pixels, pictures.read(files / name, event, Fit()).ravel(), name)


def event(x):
    return Event(x.shape[1:], 17)


def test_what_is_wrong_gets_a_sentence(digits):
    told, *_ = digits
    assert told["broken"] == "broken.jpg cannot be read, expected a whole picture."
    assert told["huge"] == "huge.png has 20000×20000 pixels, expected at most 16777216 in all."
    whole = "expected the whole folder that nvp_tf page wrote"
    assert told["sentences"]["missing"] == f"model_web.tflite is not there (404), {whole}."
    assert told["sentences"]["damaged"].startswith("The model's file model_web.tflite is damaged")


def test_it_fits_a_phone_asks_nobody_else_and_has_no_errors(digits):
    told, *_ = digits
    assert told["phone"] <= 360 and told["errors"] == [] and told["elsewhere"] == []
