"""The gate of an export: what it answers in a fresh process, held against the live model."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from nvp_tf.errors import UserError
from nvp_tf.evaluation.reference import Reference
from nvp_tf.event import Event
from nvp_tf.exporting import client
from nvp_tf.exporting.live import Live
from nvp_tf.models.flow import Flow
from nvp_tf.models.objectives import bits_per_dim
from nvp_tf.scoring.contract import BATCH, DRAW, FEW, NOISE, QUESTIONS, asked

LOG_PROB_BOUND = 1e-3  # nats an example, or 4 units in the last place of a float32 score where that is more
BITS_BOUND = 1e-3  # of one pixel
LATENT_BOUND = 1e-3
_ROUNDING = 1e-3  # of `Foreign.unusualness`: so many nats, or by itself
VECTOR_ROUND_TRIP_BOUND = 1e-4  # in the unit of x, or in deviations of what is standardized; integers must come back


Answered: TypeAlias = tuple[dict[str, Any], dict[str, np.ndarray]]


def answers_of(model: Path, x: np.ndarray, event: Event) -> Answered:
    """What a process without this package says of the SavedModel in folder `model`, and what its signatures answer."""
    foreign = {"nvp_tf", "tensorflow_probability", "tf_keras"}
    return ask(client.__file__, model, x, asked(QUESTIONS, event), "the SavedModel", foreign)


def check(live: Live, reference: Reference, answered: Answered) -> dict[str, Any]:
    """Holds what the signatures answered against the flow.

    Args:
      live, reference: what the signatures were made of.
      answered: `answers_of` the examples of `live`.

    Returns:
      A dict for export.json: checked_examples; the largest differences from the live model of log_prob
      (nats), of the bits of a pixel and of their sum (nats), of latents and of the drawn samples (levels; units of x),
      of decode(encode(x)) from x; mean and variance of the latents of dequantized examples; seconds_to_first_score;
      images_per_second.

    Raises:
      UserError: a difference above its bound, an answer of another shape, or that depends on the call.
    """
    flow, x = live.flow, live.x
    told, answers = answered
    name = flow.event.name
    scores = answers["log_prob/log_prob"]
    differences = {
        "log_prob": largest_gap(scores, live.log_prob),
        "log_prob_by_batch": max(largest_gap(answers[f"{by}/log_prob"], scores[:FEW]) for by in ("by_seven", "by_one")),
        **explanation_gaps(answers, live.bits, reference),
        "latents": largest_gap(answers["encode/latents"], live.latents),
        "round_trip": largest_gap(answers[f"decode/{name}"], x, flow.units),
        "sample": largest_gap(answers[f"sample/{name}"], _draw(flow), flow.units),
        "log_prob_with_noise": largest_gap(
            answers["log_prob_with_noise/log_prob"], _importance_weighted(flow, x[:FEW], **NOISE)
        ),
    }
    nats = nats_bound(LOG_PROB_BOUND, live.log_prob)
    bounds = {
        "log_prob": nats,
        "log_prob_by_batch": nats,
        "bits": BITS_BOUND,
        "sum_of_bits": 2 * nats,  # of two sums, each rounded in its own order
        "latents": LATENT_BOUND,
        "round_trip": 0.0 if flow.event.is_image else VECTOR_ROUND_TRIP_BOUND,
        "sample": 1.0 if flow.event.is_image else LATENT_BOUND,  # a value on a cell's border falls to either side
        "log_prob_with_noise": nats,
    }
    for what, bound in bounds.items():
        if not differences[what] <= bound:
            raise UserError(f"the SavedModel's {what} differs by {differences[what]:g}, expected at most {bound:g}")
    _check_the_rest(flow, reference, x, answers)
    latents = _latents(flow, x)
    return {
        "checked_examples": len(x),
        "largest_differences": differences,
        "bounds": bounds,
        "latents": {"mean": float(latents.mean()), "variance": float(latents.var())},  # 0 and 1 for a normal prior
        "seconds_to_first_score": told["seconds_to_first_score"],
        "images_per_second": told["images_per_second"],
    }


def ask(script: str, model: Path, x: np.ndarray, questions: list[dict], name: str, foreign: set[str]) -> Answered:
    """What a stranger says, and the arrays of its answers.

    Args:
      script: the stranger: `client.py`, `lite_client.py`.
      model, x, questions: the path, the examples and the questions that it is given.
      name: of the model, in errors.
      foreign: packages that it must not need.
    """
    with tempfile.TemporaryDirectory() as folder:
        examples, answers = Path(folder) / "examples.npy", Path(folder) / "answers.npz"
        np.save(examples, x)
        (Path(folder) / "questions.json").write_text(json.dumps(questions))
        line = [sys.executable, "-I", script, model.resolve(), examples, answers, Path(folder) / "questions.json"]
        done = subprocess.run([*map(str, line)], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            why = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
            raise UserError(f"{name} cannot be used in a fresh process: {why}")
        told = json.loads(done.stdout)
        loaded = foreign & set(told["packages"])
        if loaded:
            raise UserError(f"{name} loads {', '.join(sorted(loaded))}, expected to do without")
        return told, dict(np.load(answers))


def explanation_gaps(answers: dict[str, np.ndarray], live: np.ndarray, reference: Reference) -> dict[str, float]:
    """The largest differences of the answers to `explain` from the live model: bits of one pixel, and nats of a sum.

    Raises:
      UserError: an excess that is not what the bits are more than usual.
    """
    bits, excess = answers["explain/bits"], answers["explain/excess"]
    if not np.allclose(excess, bits - reference.usual, atol=1e-5):
        raise UserError(f"excess is not bits - usual: it differs by {largest_gap(excess, bits - reference.usual):g}")
    nats = -np.log(2) * bits.reshape(len(bits), -1).sum(axis=1, dtype=np.float64)
    return {"bits": largest_gap(bits, live), "sum_of_bits": largest_gap(nats, answers["score/log_prob"][:BATCH])}


def nats_bound(nats: float, live: np.ndarray) -> float:
    """`nats`, or 4 units in the last place of the largest float32 score where that is more."""
    finite = np.abs(live[np.isfinite(live)])
    return max(nats, 4 * float(np.spacing(np.float32(finite.max(initial=0)))))


def _check_the_rest(flow: Flow, reference: Reference, x: np.ndarray, answers: dict[str, np.ndarray]) -> None:
    """What is right or wrong, with no largest difference to tell."""
    name = flow.event.name
    scores = answers["log_prob/log_prob"]
    same: dict[str, tuple[np.ndarray, np.ndarray | tf.Tensor]] = {
        "score's log_prob": (answers["score/log_prob"], scores),
        "serving_default's log_prob": (answers["serving_default/log_prob"], scores[:FEW]),
        "second sample of one seed": (answers[f"again/{name}"], answers[f"sample/{name}"]),
    }
    same |= ranks(reference, x, answers)
    if flow.event.is_image:
        same["bits_per_dim"] = (answers["log_prob/bits_per_dim"], bits_per_dim(scores, flow.dimensions))
    for what, (found, expected) in same.items():
        if not np.allclose(found, expected, rtol=1e-5, atol=1e-3, equal_nan=True):
            raise UserError(
                f"the SavedModel's {what} is not what it should be: it differs by {largest_gap(found, expected):g}"
            )
    if np.array_equal(answers[f"fresh/{name}"], answers[f"sample/{name}"]):
        raise UserError("the SavedModel draws the same with a negative seed as with another, expected new samples")
    for what, array in answers.items():
        if what.startswith("empty_") and len(array):
            raise UserError(f"the SavedModel's {what} has {len(array)} rows, expected none")


def ranks(
    reference: Reference, x: np.ndarray, answers: dict[str, np.ndarray]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of the scores that are ranks, what was answered and what is right with the log_prob that was.

    That of `foreign` is the nearest one of an unusualness that is off by `_ROUNDING` at most: between two engines its
    last digits differ, and pass a held-out one now and then.
    """
    log_prob, foreign = answers["score/log_prob"], reference.foreign
    right = {name: value.numpy() for name, value in reference.ranks(x, log_prob).items()}
    unusualness = foreign.unusualness(x, log_prob).numpy()
    rounding = _ROUNDING * (1 + np.abs(unusualness))
    low, high = (foreign.p_of(unusualness + off).numpy() for off in (rounding, -rounding))
    right["foreign"] = np.where(np.isnan(right["foreign"]), np.nan, np.clip(answers["score/foreign"], low, high))
    return {name: (answers[f"score/{name}"], value) for name, value in right.items()}


def _draw(flow: Flow) -> np.ndarray:
    """What `sample` is asked for, from the live model."""
    return flow.sample(int(DRAW["num_samples"]), int(DRAW["seed"]), DRAW["temperature"]).numpy()


def _importance_weighted(flow: Flow, x: np.ndarray, num_samples: int, seed: int) -> np.ndarray:
    """log (1/K) sum_k p(x + u_k), from the live model."""
    noise = [tf.random.stateless_uniform(flow.event_shape, [seed, k]) for k in range(num_samples)]
    rows = np.concatenate([x] * num_samples), np.repeat(noise, len(x), axis=0)
    draws = flow.log_prob(*rows).numpy().astype(np.float64).reshape(num_samples, len(x))
    return np.logaddexp.reduce(draws) - np.log(num_samples)


def _latents(flow: Flow, x: np.ndarray) -> np.ndarray:
    """The latents of x + u: those of `encode`, without noise, vary less."""
    return flow.forward(x, tf.random.stateless_uniform(x.shape, [flow.NOISE_SEED, 1]))[0].numpy()


def largest_gap(found: np.ndarray | tf.Tensor, expected: np.ndarray | tf.Tensor, units: ArrayLike = 1.0) -> float:
    """The largest absolute difference, in `units`; 0 where both are the same infinity, nan where one alone is none."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        raise UserError(f"the export answers with shape {found.shape}, expected {expected.shape}")
    with np.errstate(invalid="ignore"):
        return float(np.where(found == expected, 0.0, np.abs(found - expected) / units).max(initial=0.0))
