"""A density as a SavedModel that is asked like a flow's, with the signatures that its family can fill."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from nvp_tf.densities.bounds import bound
from nvp_tf.densities.contract import NOISE_SEED, Density
from nvp_tf.densities.conversion import bits_per_dim
from nvp_tf.errors import UserError
from nvp_tf.evaluation.reference import Reference
from nvp_tf.exporting import client, gate
from nvp_tf.exporting.export import new_version
from nvp_tf.exporting.serving import ServingBundle
from nvp_tf.exporting.signatures import MOST_DRAWS, MOST_VALUES, expect, fresh_if_negative, some_rows
from nvp_tf.scoring.contract import DRAW, FEW, LATENTS, NOISE, QUESTIONS, Question, asked

_SEED, _COUNT = tf.TensorSpec((), tf.int64, "seed"), tf.TensorSpec((), tf.int32, "num_samples")
_FOREIGN = {"nvp_tf", "tensorflow_probability", "tf_keras"}


def export(
    density: Density,
    export_dir: str | Path,
    examples: np.ndarray,
    reference: Reference,
    about: dict | None = None,
) -> dict:
    """Writes export_dir/<next version>, whole or not at all, once it answers as the density does.

    Signatures are those of a flow's export (`nvp_tf.exporting.signatures`) with `decode` left out, `encode` where the
    family has latents, `log_prob_with_noise` where a score takes draws, `sample` without a temperature. `log_prob` and
    `score` take the density's own number of draws, always the same ones; `log_prob_with_noise` those of the seeds
    seed, seed + 1, ...

    Args:
      export_dir: the model's folder; earlier versions in it are not touched.
      examples: held-out [n, *shape], on which the export is held against the density.
      reference: what `score` holds an example against.
      about: what else export.json shall say: a dict.

    Returns:
      What is in export.json, and path: the new version's folder.

    Raises:
      UserError: an answer that differs from the density's by more than its bound.
    """
    export_dir, examples = Path(export_dir), np.asarray(examples).astype(density.domain.dtype)
    functions = Signatures(density, reference)

    def fill(partial: Path) -> dict[str, Any]:
        functions.save(partial)
        asks = asked(questions(functions.names), density.domain)
        told, answers = gate.ask(client.__file__, partial, examples, asks, "the SavedModel", _FOREIGN)
        speeds = {name: told[name] for name in ("seconds_to_first_score", "images_per_second")}
        return (about or {}) | _model(density, functions) | compare(density, functions, answers, examples) | speeds

    return new_version(export_dir, fill, ServingBundle(export_dir, examples, density.domain, functions.names))


class Signatures:
    """The signatures of one density; each family's graphs are in its `graph_log_prob`, `graph_sample`, `graph_encode`.

    Args:
      reference: the `Reference` of `score`.
    """

    def __init__(self, density: Density, reference: Reference) -> None:
        self.density, self.reference, event = density, reference, density.domain
        self.most_samples = max(1, min(density.sample_batch, MOST_VALUES // event.dimensions))
        self.values = tf.TensorSpec((None, *event.shape), event.dtype, event.name)
        self.graph = tf.function(lambda x: density.graph_log_prob(x)[0], [self.values], autograph=False)  # of two
        log_prob = tf.function(self._log_prob, [self.values], autograph=False)
        self.functions = {
            "serving_default": log_prob,
            "log_prob": log_prob,
            "score": tf.function(self._score, [self.values], autograph=False),
        }
        if density.draws:
            given = [self.values, _SEED, _COUNT]
            self.functions["log_prob_with_noise"] = tf.function(self._log_prob_with_noise, given, autograph=False)
        if density.latent_size is not None:
            self.functions["encode"] = tf.function(self._encode, [self.values], autograph=False)
        if density.can_sample:
            self.functions["sample"] = tf.function(self._sample, [_COUNT, _SEED], autograph=False)
        self.names = tuple(self.functions)

    def save(self, folder: Path) -> None:
        """Writes a SavedModel."""
        module = tf.Module()
        module.weights = [weight.value for weight in self.density.model.weights]
        tf.saved_model.save(module, str(folder), signatures=self.functions)

    def _log_prob(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        values, n = some_rows(values, self.values)
        return self._scores(self.graph(values)[:n])

    def _score(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = self._log_prob(values)
        return scores | self.reference.ranks(values, scores["log_prob"])

    def _log_prob_with_noise(self, values: tf.Tensor, seed: tf.Tensor, num_samples: tf.Tensor) -> dict[str, tf.Tensor]:
        inside = (num_samples >= 1) & (num_samples <= MOST_DRAWS)
        num_samples = expect(inside, num_samples, "num_samples is", num_samples, f"expected 1 to {MOST_DRAWS}")
        seed = fresh_if_negative(seed)
        values, n = some_rows(values, self.values)

        def log_weights(first: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
            del end  # one at a time
            return self.density.graph_log_prob(values, 1, tf.stack([seed + tf.cast(first, tf.int64), 0]))[0][None]

        found = bound(log_weights, tf.shape(values)[0], num_samples, block=1)
        return self._scores(found.importance_weighted[:n]) | {"standard_error": tf.cast(found.error[:n], tf.float32)}

    def _encode(self, values: tf.Tensor) -> dict[str, tf.Tensor]:
        values, n = some_rows(values, self.values)
        return {LATENTS: tf.cast(self.density.graph_encode(values)[:n], tf.float32)}

    def _sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        inside = (num_samples >= 0) & (num_samples <= self.most_samples)
        num_samples = expect(inside, num_samples, "num_samples is", num_samples, f"expected 0 to {self.most_samples}")
        seed = fresh_if_negative(seed)
        drawn = self.density.graph_sample(tf.maximum(1, num_samples), tf.stack([seed, tf.zeros_like(seed)]))
        return {self.density.domain.name: tf.ensure_shape(drawn[:num_samples], self.values.shape)}

    def _scores(self, log_prob: tf.Tensor) -> dict[str, tf.Tensor]:
        scores, domain = {"log_prob": tf.cast(log_prob, tf.float32)}, self.density.domain
        if domain.is_image:
            scores["bits_per_dim"] = tf.cast(bits_per_dim(log_prob, domain.dimensions), tf.float32)
        return scores


def questions(names: tuple[str, ...]) -> list[Question]:
    """What a SavedModel with these signatures is asked."""
    found = [question for question in QUESTIONS if question.signature in names]
    kept = [{name: value for name, value in q.scalars.items() if name != "temperature"} for q in found]
    return [dataclasses.replace(q, scalars=scalars) for q, scalars in zip(found, kept, strict=True)]


def compare(density: Density, functions: Signatures, answers: dict[str, np.ndarray], x: np.ndarray) -> dict:
    """What a SavedModel answered, held against the live density.

    Args:
      functions: what was saved.
      answers: to its `questions`, asked about x.
      x: [n, *shape].

    Returns:
      A dict for export.json: checked_examples, largest_differences, bounds.

    Raises:
      UserError: a difference above its bound, an answer of another shape, or that depends on the call.
    """
    domain = density.domain
    scores, live = answers["log_prob/log_prob"], density.scores(x).value
    nats = _nats(live)
    pairs = {"log_prob": (scores, live, nats)}
    for by in ("by_seven", "by_one"):
        pairs[f"log_prob_{by}"] = (answers[f"{by}/log_prob"], scores[:FEW], nats)
    same = {"score": answers["score/log_prob"], "serving_default": answers["serving_default/log_prob"]}
    pairs |= {name: (found, scores[: len(found)], nats) for name, found in same.items()}
    for name, (found, expected) in gate.ranks(functions.reference, x, answers).items():
        pairs[name] = (found, expected, 1e-3)
    if "encode" in functions.names:
        pairs["latents"] = (answers["encode/latents"], density.encode(x), gate.LATENT_BOUND)
    if "sample" in functions.names:
        drawn = density.sample(DRAW["num_samples"], DRAW["seed"])
        # A value on a cell's border falls to either side.
        pairs["sample"] = (answers[f"sample/{domain.name}"], drawn, 1.0 if domain.is_image else gate.LATENT_BOUND)
        pairs["sample again"] = (answers[f"again/{domain.name}"], answers[f"sample/{domain.name}"], 0.0)
        if np.array_equal(answers[f"fresh/{domain.name}"], drawn):
            raise UserError("the SavedModel draws the same with a negative seed as with another, expected new samples")
    if "log_prob_with_noise" in functions.names:
        draws = [density.scores(x[:FEW], 1, NOISE["seed"] + k).value for k in range(NOISE["num_samples"])]
        mean = np.logaddexp.reduce(draws) - np.log(len(draws))
        pairs["log_prob_with_noise"] = (answers["log_prob_with_noise/log_prob"], mean, _nats(mean))
    units = dict.fromkeys(("sample", "sample again"), domain.scale or 1.0)
    differences = {
        name: gate.largest_gap(found, expected, units.get(name, 1.0)) for name, (found, expected, _) in pairs.items()
    }
    bounds = {name: at_most for name, (_, _, at_most) in pairs.items()}
    for name, difference in differences.items():
        if not difference <= bounds[name]:
            raise UserError(f"the SavedModel's {name} differs by {difference:g}, expected at most {bounds[name]:g}")
    for name, array in answers.items():
        if name.startswith("empty_") and len(array):
            raise UserError(f"the SavedModel's {name} has {len(array)} rows, expected none")
    return {"checked_examples": len(x), "largest_differences": differences, "bounds": bounds}


def _nats(live: np.ndarray) -> float:
    return gate.nats_bound(gate.LOG_PROB_BOUND, live)


def _model(density: Density, functions: Signatures) -> dict:
    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "family": density.family,
        "kind": density.kind,
        "how": density.how,
        "draws": density.draws,
        "noise_seed": NOISE_SEED,
        "signatures": sorted(functions.names),
        "event_shape": list(density.domain.shape),
        "levels": density.domain.levels,
        "columns": list(density.domain.columns),
        "parameters": density.parameters,
        "reference_scores": len(functions.reference.scores),
    }
