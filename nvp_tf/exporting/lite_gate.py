"""The gate of an export's LiteRT files: what they answer in fresh processes, held against the live model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.evaluation.reference import Reference
from nvp_tf.exporting import lite_client
from nvp_tf.exporting.gate import (
    LATENT_BOUND,
    VECTOR_ROUND_TRIP_BOUND,
    ask,
    explanation_gaps,
    largest_gap,
    nats_bound,
    ranks,
)
from nvp_tf.exporting.lite import FILES, FLOAT32
from nvp_tf.exporting.live import Live
from nvp_tf.scoring.contract import BATCH, FEW, LITE_QUESTIONS, asked

LOG_PROB_BOUND = 1e-2  # nats, or 4 units in the last place; of the float32 file
BITS_BOUND = 1e-2  # of one pixel
_FOREIGN = {"nvp_tf", "tensorflow", "keras", "tensorflow_probability"}


def check(live: Live, reference: Reference, folder: Path, files: Sequence[str] = FILES) -> dict[str, dict[str, Any]]:
    """What the files in `folder` answer, each in a process that has LiteRT and NumPy alone.

    Args:
      live, reference: what they were made of; the first `BATCH` of its examples are asked about.
      folder: where `lite.write` wrote them.
      files: their names.

    Returns:
      {file: size_bytes; largest and mean differences of log_prob (nats) and the largest ones of its percentile and
      of latents from the live model; pixels_not_round_tripped, the share of pixels that decode(encode(x)) changes
      (vectors: the largest difference); images_per_second}.

    Raises:
      UserError: a difference of the float32 file above its bound; of the others, a number that is none.
    """
    drawn = live.flow.decode(lite_client.draws(live.flow.dimensions) * lite_client.TEMPERATURE).numpy()
    return {name: _check(folder / name, live, drawn, reference) for name in files}


def _check(file: Path, live: Live, drawn: np.ndarray, reference: Reference) -> dict[str, Any]:
    event, units = live.flow.event, live.flow.units
    x, log_prob = live.x[:BATCH], live.log_prob[:BATCH]
    told, answers = ask(lite_client.__file__, file, x, asked(LITE_QUESTIONS, event), file.name, _FOREIGN)
    name = event.name
    scores, decoded = answers["log_prob/log_prob"], answers[f"decode/{name}"]
    gaps = {
        "log_prob": largest_gap(scores, log_prob),
        "log_prob_by_batch": max(largest_gap(answers[f"{by}/log_prob"], scores[:FEW]) for by in ("by_one", "by_seven")),
        **explanation_gaps(answers, live.bits, reference),
        "latents": largest_gap(answers["encode/latents"], live.latents[:BATCH]),
        "round_trip": largest_gap(decoded, x, units),
        "sample": largest_gap(answers[f"sample/{name}"], drawn, units),
    }
    nats = nats_bound(LOG_PROB_BOUND, log_prob)
    # Of vectors far from 0, float32 itself has few digits.
    rounding = 0.0 if event.is_image else 4 * float((np.spacing(np.abs(x).max(axis=0)) / units).max())
    bounds = {
        "log_prob": nats,
        "log_prob_by_batch": nats,
        "bits": BITS_BOUND,
        "sum_of_bits": 2 * nats,
        "latents": LATENT_BOUND,
        "round_trip": 0.0 if event.is_image else max(VECTOR_ROUND_TRIP_BOUND, rounding),
        "sample": 1.0 if event.is_image else max(LATENT_BOUND, rounding),  # on a cell's border to either side
    }
    for what, bound in bounds.items():
        bound = bound if file.name == FLOAT32 else float(np.finfo(np.float32).max)
        if not gaps[what] <= bound:
            raise UserError(f"{file.name}'s {what} differs by {gaps[what]:g}, expected at most {bound:g}")
    _check_score(file, answers, reference, x)
    _check_invalid(file, answers, name)
    finite = np.isfinite(log_prob)
    figures = {
        "size_bytes": file.stat().st_size,
        "largest_log_prob_difference": gaps["log_prob"],
        "mean_log_prob_difference": float(np.abs(scores[finite] - log_prob[finite]).mean()),
        "largest_percentile_difference": largest_gap(answers["score/percentile"], reference.percentile(log_prob)),
        "largest_bits_difference": gaps["bits"],
        "largest_latents_difference": gaps["latents"],
    }
    if event.is_image:
        figures["pixels_not_round_tripped"] = float((decoded != x).mean())
    else:
        figures["largest_round_trip_difference"] = gaps["round_trip"]
    return figures | {"images_per_second": told["images_per_second"]}


def _check_score(file: Path, answers: dict[str, np.ndarray], reference: Reference, x: np.ndarray) -> None:
    expected = {"log_prob": (answers["score/log_prob"], answers["log_prob/log_prob"])}
    for what, (found, values) in (expected | ranks(reference, x, answers)).items():
        if not np.allclose(found, values, rtol=1e-5, atol=1e-3):
            gap = largest_gap(found, values)
            raise UserError(f"{file.name}'s {what} of score is not what it should be: it differs by {gap:g}")


def _check_invalid(file: Path, answers: dict[str, np.ndarray], name: str) -> None:
    """What is no number can be seen to be none, and what is one is not."""
    for what, expected in {"decode": [1], "sample": [1], "frozen": [0], "broken": [0, 0, 1]}.items():
        values = answers[f"{what}/{name}"]
        found = answers.get(f"{what}/valid", np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
        if not np.array_equal(found, np.broadcast_to(expected, len(values))):
            raise UserError(
                f"{file.name}'s {what}: {int(found.sum())} of {len(found)} rows are valid, expected another"
            )
