"""The two models in git answer as they did when they were made, by both engines, and are small."""

import json
import zlib

import numpy as np
import pytest
from commands import ROOT, run_without_tensorflow
from PIL import Image

from nvp_tf.scoring.contract import LITERT, SAVED_MODEL
from nvp_tf.scoring.local import open_export

# log_prob of the example in request.json, of black and of the example's negative.
EXPECTED = {
    "digits": [-80.1645, -78.1722, -1722.858],
    "fashion_mnist": [-1177.0361, -62.2964, -2459.264],
}
MOST = 12e6  # bytes, of both, as git keeps them


@pytest.mark.parametrize("name", EXPECTED)
def test_fixed_scores(name, tmp_path):
    folder = ROOT / "saved_models" / name
    example = np.array(json.loads((folder / "request.json").read_text())["instances"], np.uint8)
    top = json.loads((folder / "1" / "export.json").read_text())["levels"] - 1
    x = np.concatenate([example, 0 * example, top - example])
    answers = [open_export(folder, engine).score(x) for engine in (LITERT, SAVED_MODEL)]
    for answer in answers:
        np.testing.assert_allclose(answer["log_prob"], EXPECTED[name], rtol=1e-5, atol=0.02)
        np.testing.assert_allclose(answer["percentile"], answers[0]["percentile"], atol=1)
        assert (
            answer["foreign"][0] > 0.5 and (answer["foreign"][1:] < 0.01).all()
        )  # the black one is likely, and foreign
    Image.fromarray(example[0, :, :, 0]).save(tmp_path / "picture.png")
    status, out, err = run_without_tensorflow(tmp_path / "none", "score", f"--model={folder}", tmp_path / "picture.png")
    assert status == 0, err
    assert json.loads(out)["log_prob"] == pytest.approx(EXPECTED[name][0], abs=0.02)


def test_they_are_small_and_say_where_they_are_from():
    size = 0
    for name in EXPECTED:
        folder = ROOT / "saved_models" / name
        size += sum(len(zlib.compress(file.read_bytes(), 1)) for file in folder.rglob("*") if file.is_file())
        about = json.loads((folder / "1" / "export.json").read_text())
        assert about["command"].startswith("nvp_tf export ") and len(about["versions"]["commit"]) >= 40
        assert (folder / "LICENSE.md").is_file()
    assert size < MOST
