"""A density's folder is enough to have it again, in float32 too."""

import json

import numpy as np
import pytest
from density_cases import ALL, some

from nvp_tf.densities import saved
from nvp_tf.errors import UserError


@pytest.mark.parametrize("name", ALL)
def test_folder(name, tmp_path):
    density = ALL[name].shared
    saved.save(density, tmp_path, {"of": "a test"})
    assert {file.name for file in tmp_path.iterdir()} == {"config.json", "best.weights.h5", "metadata.json"}
    again = saved.load(tmp_path)
    assert (type(again), again.domain, again.settings) == (type(density), density.domain, density.settings)
    for before, after in zip(density.model.weights, again.model.weights, strict=True):
        np.testing.assert_array_equal(before, after)
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    assert metadata["parameters"] == density.parameters and metadata["of"] == "a test"


def test_scores_of_one_that_was_loaded(tmp_path):
    density = ALL["made of vectors"].shared
    saved.save(density, tmp_path)
    x = some(density.domain)
    np.testing.assert_array_equal(saved.load(tmp_path).scores(x).value, density.scores(x).value)


def test_folders_refused(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        saved.load(tmp_path)
    saved.save(ALL["made of vectors"].shared, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for wrong in ({"family": "pixelrnn"}, {"settings": {}}, {"settings": {"layers": "two"}}, {"domain": {"size": 2}}):
        (tmp_path / "config.json").write_text(json.dumps(config | wrong))
        if wrong != {"settings": {}}:  # which are the defaults
            with pytest.raises(UserError, match=r"config\.json"):
                saved.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "best.weights.h5").write_bytes(b"no weights")
    with pytest.raises(UserError, match="corrupt"):
        saved.load(tmp_path)
