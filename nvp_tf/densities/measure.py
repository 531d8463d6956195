"""What a row of the table says of one trained density: how good, how sure, how fast, how large."""

import math
import resource
import time
from typing import Any

import numpy as np

from nvp_tf.data.split import DataSet
from nvp_tf.densities.contract import NOISE_SEED, Density, Scores, examples
from nvp_tf.densities.conversion import bits_per_dim

TIGHTER = 16  # times the draws, for what a bound leaves out
_OF_GAP = 100  # examples whose bound is drawn again
_DRAWN = 64  # samples that are kept
_NOISES = 25  # of one noise for all images the mean would be as uncertain as one image
_CALLS = 7  # of one example, of which the median is the latency


def measure(density: Density, dataset: DataSet, num: int, seed: int = 0) -> dict:
    """The figures of a row; numbers that are not finite are None, and `problems` says why.

    Args:
      num: test examples, evenly spaced, and as many training ones for the gap.
      seed: of samples.

    Returns:
      A dict of
        kind, how, draws: of the scores.
        log_prob, error: mean nats an example of the test split, and its standard error over examples.
        bits_per_dim, bits_error: the same of images; None for vectors.
        test_examples, worst: how many, and the score of the least likely, nats.
        gap: train less test, nats an example.
        bounds: [draws, mean nats] of the first 100 test examples, each bound above the one before; [] for exact ones.
        bound_gap, bound_gap_error: the last less the row's own, nats, paired; None for exact ones.
        parameters, score_per_second, sample_per_second, latency_ms, memory_gigabytes.
        can: of log_prob, sample, encode, export.
    """
    x = examples(dataset.test, num)
    scores, timed = _timed(density, x)
    values = scores.value
    train = scattered(density, examples(dataset.train, num)).value
    dimensions, images = density.domain.dimensions, density.domain.is_image
    mean, error = _mean(values)
    problems = _problems(values)
    bounds = _bounds(density, x[:_OF_GAP], scores.kind)
    found = {
        "kind": scores.kind,
        "how": density.how,
        "draws": density.draws,
        "log_prob": mean,
        "error": error,
        "bits_per_dim": float(bits_per_dim(mean, dimensions)) if images else None,
        "bits_error": float(-bits_per_dim(error, dimensions)) if images else None,
        "test_examples": len(x),
        "worst": float(values.min()),
        "gap": float(train.mean()) - mean,
        **bounds,
        "parameters": density.parameters,
        **timed,
        "memory_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "can": [what for what, able in _abilities(density).items() if able],
    }
    return {name: finite(value) for name, value in found.items()} | {"problems": problems}


def finite(value: Any) -> Any:
    """The value, or None for a number that JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def scattered(density: Density, x: np.ndarray, draws: int | None = None) -> Scores:
    """Scores of x whose draws, where it has any, are others in each of 25 parts: their mean is less of one draw."""
    if not density.draws:
        return density.scores(x)
    parts = np.array_split(x, min(_NOISES, len(x)))
    found = [density.scores(part, draws, NOISE_SEED + i) for i, part in enumerate(parts)]
    value, error = (np.concatenate([getattr(part, name) for part in found]) for name in ("value", "error"))
    return Scores(value, density.kind, error)


def kept_samples(density: Density, seed: int) -> np.ndarray:
    """The samples that a page shows."""
    return density.sample(_DRAWN, seed)


def _abilities(density: Density) -> dict[str, bool]:
    """What a person can do with it."""
    return {
        "log_prob": True,
        "sample": density.can_sample,
        "encode": density.latent_size is not None,
        "export": True,
    }


def _timed(density: Density, x: np.ndarray) -> tuple[Scores, dict]:
    """Scores of x and what they and samples took, nothing of it traced at that time."""
    density.scores(x[:1])
    latencies = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        density.scores(x[:1])
        latencies.append(time.perf_counter() - began)
    began = time.perf_counter()
    scores = scattered(density, x)
    per_second = len(x) / (time.perf_counter() - began)
    sampled = None
    if density.can_sample:
        density.sample(1)
        began = time.perf_counter()
        density.sample(_DRAWN)
        sampled = _DRAWN / (time.perf_counter() - began)
    return scores, {
        "latency_ms": 1000 * float(np.median(latencies)),
        "score_per_second": per_second,
        "sample_per_second": sampled,
    }


def _bounds(density: Density, x: np.ndarray, kind: str) -> dict:
    """What more draws make of the bound of x."""
    if kind != "bound" or not density.draws:
        return {"bounds": [], "bound_gap": None, "bound_gap_error": None}
    own, tighter = (scattered(density, x, draws).value for draws in (density.draws, TIGHTER * density.draws))
    loosest = scattered(density, x, 1).value if density.draws > 1 else own
    gap, error = _mean(tighter - own)
    draws = [1, density.draws, TIGHTER * density.draws]
    means = dict(zip(draws, (finite(float(v.mean())) for v in (loosest, own, tighter)), strict=True))
    return {"bounds": [list(pair) for pair in means.items()], "bound_gap": gap, "bound_gap_error": error}


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error; 0 of one value."""
    with np.errstate(invalid="ignore"):
        return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else 0.0


def _problems(values: np.ndarray) -> list[str]:
    """In words: a mean over some of the scores would be no mean."""
    kinds = {"not a number": np.isnan(values), "-inf": np.isneginf(values), "+inf": np.isposinf(values)}
    return [f"{where.sum()} of {len(values)} test scores are {kind}" for kind, where in kinds.items() if where.any()]
