"""The gate of a SavedModel: what a fresh process gets of it must be what the flow says."""

import numpy as np
import pytest
from held_out import reference

from nvp_tf.config.schema import ModelConfig, VectorRealNVPConfig
from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.exporting import export
from nvp_tf.exporting.live import Live
from nvp_tf.models.build import build

VECTOR = ModelConfig((3,), VectorRealNVPConfig(couplings=2, hidden_units=8, batch_norm=True))
WRONG = {
    "log_prob": ("log_prob/log_prob", lambda a: a + 0.01, r"log_prob differs by 0\.01"),
    "batch": ("by_seven/log_prob", lambda a: a + 0.01, "log_prob_by_batch differs"),
    "latents": ("encode/latents", lambda a: 2 * a, "latents differs"),
    "round trip": ("decode/x", lambda a: a + 1, "round_trip differs by 1"),
    "sample": ("sample/x", lambda a: a[::-1], "sample differs"),
    "noise": ("log_prob_with_noise/log_prob", lambda a: a * np.nan, "log_prob_with_noise differs by nan"),
    "percentile": ("score/percentile", lambda a: 100 - a, "percentile is not what it should be"),
    "typicality": ("score/typicality", lambda a: a / 2, "typicality is not what it should be"),
    "foreign": ("score/foreign", lambda a: a / 2, "foreign is not what it should be"),
    "seed": ("again/x", lambda a: a + 1, "second sample of one seed"),
    "rows": ("log_prob/log_prob", lambda a: a[1:], r"shape \(3,\), expected \(4,\)"),
    "bits": ("explain/bits", lambda a: a[::-1], "excess is not bits - usual"),
    "sum": ("score/log_prob", lambda a: a + 0.01, "sum_of_bits differs by 0.01"),
    "empty": ("empty_sample/x", lambda a: np.ones((1, 3)), "empty_sample/x has 1 rows, expected none"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_model_that_answers_otherwise_is_refused(what, answers_of_a_stranger):
    flow, known, x, told, answers = answers_of_a_stranger
    key, wrong, message = WRONG[what]
    export.gate.check(Live(flow, x), known, (told, answers))
    with pytest.raises(UserError, match=message):
        export.gate.check(Live(flow, x), known, (told, answers | {key: wrong(answers[key])}))


@pytest.fixture(scope="module")
def answers_of_a_stranger(tmp_path_factory):
    """A vector flow, and what a fresh process says of its SavedModel."""
    flow, x = build(VECTOR), np.random.RandomState(0).randn(4, 3).astype(np.float32)
    known = reference(flow.event, x, [-5.0, -4.0, -3.0, -2.0])
    folder = tmp_path_factory.mktemp("saved") / "model"
    export.Signatures(flow, known).save(folder)
    return flow, known, x, *export.gate.answers_of(folder, x, flow.event)


def test_a_model_that_does_not_load_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"cannot be used in a fresh process: .*SavedModel"):
        export.gate.answers_of(tmp_path, np.zeros((1, 3), np.float32), Event((3,)))
