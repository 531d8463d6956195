import dataclasses

import numpy as np
from cases import randomize

from nvp_tf.config.presets.registry import PRESETS
from nvp_tf.config.schema import ModelConfig, PixelsConfig, RealNVPConfig
from nvp_tf.models.build import build
from nvp_tf.runs.run_dir import RunDir


def test_a_run_in_bfloat16_is_loaded_with_exact_directions(tmp_path):
    recipe = RealNVPConfig(scales=2, filters=8, blocks=1, checkerboard="packed")
    model = ModelConfig((8, 8, 3), recipe, PixelsConfig(alpha=5e-4))
    run = RunDir.create(tmp_path / "run", dataclasses.replace(PRESETS["realnvp_photos"].config, model=model))
    trained = randomize(build(model, network_dtype="bfloat16"), spread=1.0)
    run.save_flow(trained, best=True)
    loaded = run.load_flow()
    x = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3)).astype("uint8")
    np.testing.assert_array_equal(loaded.decode(loaded.encode(x)), x)
    assert (trained.decode(trained.encode(x)).numpy() != x).any()  # what a flow in bfloat16 does
    np.testing.assert_allclose(loaded.bits_per_dim(x), trained.bits_per_dim(x), atol=0.1)
