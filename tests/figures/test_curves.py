"""The curves of a run, with its health where that was measured and its rollbacks where there are some."""

from types import SimpleNamespace

import numpy as np
from cases import MODELS

from nvp_tf.config.schema import Config, DataConfig, TrainConfig
from nvp_tf.figures import curves
from nvp_tf.runs.run_dir import RunDir

RED = np.array([214, 39, 40])


def test_health_and_rollbacks(tmp_path):
    config = Config(MODELS["nice_image"].config, DataConfig("digits"), TrainConfig())
    run = RunDir.create(tmp_path / "run", config)
    source = SimpleNamespace(run=run, config=config)
    scores = ("train_log_prob", "valid_log_prob", "train_bits_per_dim", "valid_bits_per_dim")
    rows = [{"step": step} | dict.fromkeys(scores, -1.0 / step) for step in (10, 20, 30)]
    times = [{"step": row["step"], "minutes": row["step"] / 10} for row in rows]
    run.write_metrics(rows, times)
    plain = curves.draw(source)
    run.write_metrics([row | {"round_trip_error": 1e-5 * row["step"], "log_det_error": 0.0} for row in rows], times)
    healthy = curves.draw(source)
    assert healthy.height == 1.5 * plain.height and red(healthy) < 50
    run.write_rollbacks([{"step": 17, "to_step": 10, "reason": "loss nan"}])
    assert red(curves.draw(source)) > 200


def red(picture):
    return (np.abs(np.asarray(picture).astype(int) - RED).max(axis=-1) < 40).sum()
