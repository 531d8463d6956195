"""The gate of the .tflite files: what answers otherwise than the flow is refused, and leaves no export."""

import contextlib

import numpy as np
import pytest

from nvp_tf.errors import UserError
from nvp_tf.exporting import export, lite, lite_client, lite_gate
from nvp_tf.exporting.live import Live
from nvp_tf.scoring.contract import LITE_QUESTIONS, asked

WRONG = {
    "log_prob": ("log_prob/log_prob", lambda a: a + 0.02, r"log_prob differs by 0\.02"),
    "batch": ("by_seven/log_prob", lambda a: a + 0.02, r"log_prob_by_batch differs by 0\.02"),
    "latents": ("encode/latents", lambda a: a + 0.01, r"latents differs by 0\.01"),
    "bits": ("explain/bits", lambda a: a[::-1], "excess is not bits - usual"),
    "round trip": ("decode/x", lambda a: a + 0.01, r"round_trip differs by 0\.01"),
    "sample": ("sample/x", lambda a: a[::-1], "sample differs"),
    "rows": ("log_prob/log_prob", lambda a: a[1:], r"shape \(255,\), expected \(256,\)"),
    "percentile": ("score/percentile", lambda a: 100 - a, "percentile of score is not"),
    "foreign": ("score/foreign", lambda a: 1 - a, "foreign of score is not"),
    "nan": ("log_prob/log_prob", lambda a: a * np.nan, "log_prob differs by nan"),
    "broken": ("broken/x", np.nan_to_num, "broken: 3 of 3 rows are valid"),
    "frozen": ("frozen/x", np.nan_to_num, "frozen: 8 of 8 rows are valid"),
}


@pytest.fixture(scope="module")
def answers(written):
    flow, known, x, path, *_ = written["vector", lite.FLOAT32]
    return (
        flow,
        known,
        x,
        path,
        *lite_gate.ask(lite_client.__file__, path, x[:256], asked(LITE_QUESTIONS, flow.event), path.name, set()),
    )


@pytest.mark.parametrize("what", WRONG)
def test_a_file_that_answers_otherwise_is_refused(what, answers, monkeypatch):
    flow, known, x, path, told, right = answers
    key, wrong, message = WRONG[what]
    monkeypatch.setattr(lite_gate, "ask", lambda *_: (told, right))
    figures = lite_gate.check(Live(flow, x), known, path.parent)
    assert set(figures) == set(lite.FILES) and figures[lite.FLOAT32]["largest_log_prob_difference"] < 1e-3
    assert figures[lite.INT8]["size_bytes"] == (path.parent / lite.INT8).stat().st_size
    monkeypatch.setattr(lite_gate, "ask", lambda *_: (told, right | {key: wrong(right[key])}))
    with pytest.raises(UserError, match=message):
        lite_gate.check(Live(flow, x), known, path.parent)
    lenient = what in ("batch", "latents", "round trip", "sample")
    with contextlib.nullcontext() if lenient else pytest.raises(UserError):
        # Which must give numbers that fit together, no more.
        lite_gate.check(Live(flow, x), known, path.parent, [lite.INT8])


def test_a_refused_file_leaves_no_export(written, tmp_path, monkeypatch):
    flow, known, x, *_ = written["vector", lite.FLOAT32]

    def refuse(live, reference, folder, files):
        assert set(files) == set(lite.FILES)
        assert {path.name for path in folder.glob("*.tflite")} == set(lite.FILES)
        raise UserError("as if it differed")

    monkeypatch.setattr(export.gate, "check", lambda *_: {})
    monkeypatch.setattr(lite_gate, "check", refuse)
    with pytest.raises(UserError, match="as if"):
        export.export(flow, tmp_path / "model", x, known)
    assert list((tmp_path / "model").iterdir()) == []
