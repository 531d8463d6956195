"""One image, one score, wherever it is computed: 1,000 held-out examples by every door at three batch sizes."""

import numpy as np
import pytest
from agreement import BATCHES, differences
from cases import randomize
from held_out import reference

from nvp_tf.config.presets.registry import get_preset
from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.registry import load_dataset
from nvp_tf.exporting.export import export
from nvp_tf.models.build import build


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["realnvp_digits", "realnvp_photos", "realnvp_two_moons"])
def test_one_image_one_score(preset, tmp_path):
    """At the presets' sizes, with random weights."""
    config = get_preset(preset).config
    flow, splits = build(config.model), load_dataset(config.data)
    randomize(flow, spread=0.1)
    x = np.concatenate(list(evaluation_batches(splits.train, 100, 1000)))
    scores = flow.log_prob(x[:200]).numpy()
    known = reference(flow.event, x[:200], scores)
    path = export(flow, tmp_path / "model", x[:100], known)["path"]
    ulp = float(np.spacing(np.float32(np.abs(scores).max())))
    for door, by_batch in differences(flow, x, path, known).items():
        bound = max(1e-2 if door == "TFLite" else 1e-3, 4 * ulp)
        assert set(by_batch) == set(BATCHES)
        assert max(gaps["log_prob"] for gaps in by_batch.values()) <= bound, (door, by_batch)
        assert max(gaps["foreign"] for gaps in by_batch.values()) <= 0.02, (door, by_batch)  # of 200 held-out ones
