"""All measures of a model, of an equivalent one that is sharper and of one that is as flat as can be made."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nvp_tf.errors import UserError
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.estimate import Estimate
from nvp_tf.flatness.kept import FILE, Json, Kept
from nvp_tf.flatness.measures import MEASURES, TIERS, Given, Radii, Settings, settings_from
from nvp_tf.flatness.operators import hessian
from nvp_tf.flatness.report_data import Source
from nvp_tf.flatness.rescaling import Rescaling
from nvp_tf.flatness.sampling import half_error
from nvp_tf.flatness.slices import random_directions, slice_losses
from nvp_tf.flatness.spectral_density import stochastic_lanczos
from nvp_tf.flatness.spectrum import Eigenvalues, bottom, minimum, top
from nvp_tf.flatness.trace import hutchinson
from nvp_tf.flatness.twins import flattest, sharper

ITSELF, SHARPER, FLATTEST = "as it is", "sharper", "flattest"
MODELS = (ITSELF, SHARPER, FLATTEST)
_FEWEST = 16  # examples that a report is reduced to
_SHOWN = 64  # examples on which a twin's predictions are held against the model's before it is measured
_POINTS = 31  # of a slice
_SHARPNESS = 0.01  # to second order, of the model as it is: for that the balls' radii are made
_LANCZOS = 40  # steps of the spectral density
Say = Callable[[str], None]


class Report:
    """One model, measured beside its twins; each result is in `out`/measures.json as soon as it is found.

    Args:
      source: what to measure.
      out: the folder.
      times: how much sharper the one twin is, by its largest eigenvalue.
      minutes: what it may take at most, for which settings are chosen; by the measured time of a product.
      say: takes a line of text.

    Attributes:
      fitting: how many of the examples fit into `minutes`; a report that was begun before fits.

    Raises:
      UserError: as `Curvature` and `Rescaling`, or a model without curvature.
    """

    def __init__(
        self,
        source: Source,
        out: Path,
        *,
        times: float = 1e4,
        minutes: float = 15.0,
        seed: int = 0,
        say: Say = lambda line: None,
    ) -> None:
        self.source, self.times, self.minutes, self.seed, self.say = source, times, minutes, seed, say
        self.curvatures = {ITSELF: Curvature.of(source.subject, say=say)}
        self.fitting = self.curvatures[ITSELF].examples
        made_of = {"fingerprint": source.fingerprint, "loss": source.subject.loss.name, "times": times, "seed": seed}
        self.kept = Kept(Path(out) / FILE, made_of)
        if self.kept.taken_up:
            say(f"{len(self.kept.values)} results are in {self.kept.file} already")
        self.settings = settings_from(self.kept.get("settings", lambda: dataclasses.asdict(self._affordable())))

    def run(self) -> dict[str, Json]:
        """All results; what is kept is not computed again."""
        curvature = self.curvatures[ITSELF]
        about = {"examples": curvature.examples, "weights": curvature.dim, "difference": curvature.difference}
        self.kept.get("about", lambda: about | {"notes": list(self.source.subject.notes), "batch_norm": "inference"})
        self._of_itself()
        self._twins()
        for name, measure in MEASURES.items():
            if math.isinf(measure.cost(self.settings, curvature)):
                self.kept.get(f"{ITSELF}/{name}", lambda: {"absent": "it would take longer than all else together"})
                continue
            for model in self.curvatures:
                self._measure(model, name)
            self._half(name)
        self._slices()
        return self.kept.values

    def _affordable(self) -> Settings:
        """The most that fits; tells its cost before any of it is spent."""
        curvature = self.curvatures[ITSELF]
        for tier, settings in TIERS.items():
            products = total_cost(settings, curvature)
            minutes = products * curvature.seconds / 60
            if minutes <= self.minutes or tier == list(TIERS)[-1]:
                break
        self.say(f"{tier} settings: as much as {products:.0f} products, about {minutes:.1f} minutes on this machine")
        if minutes > self.minutes:
            self.fitting = min(max(int(curvature.examples * self.minutes / minutes), _FEWEST), curvature.examples)
            self.say(f"that is more than {self.minutes:g} minutes: {self.fitting} examples would fit better")
        return dataclasses.replace(settings, seed=self.seed)

    def _of_itself(self) -> None:
        """Eigenvalues, traces by block, whether it is a minimum, the sizes of neighbourhoods, the density."""
        curvature, settings = self.curvatures[ITSELF], self.settings
        largest = self._step("eigenvalues", lambda: self._eigenvalues(settings.top))
        if not largest["values"][0] > 0:
            raise UserError(f"the largest eigenvalue is {largest['values'][0]:.3g}: there is no curvature to scale")
        self._step(
            f"{ITSELF}/largest eigenvalue", lambda: {"value": largest["values"][0], "error": largest["residuals"][0]}
        )
        traces = self._step("traces", lambda: self._traces(curvature))
        self._step(f"{ITSELF}/trace", lambda: traces["whole"])
        self._step("smallest", lambda: self._smallest(largest["values"][0]))
        if settings.density:
            self._step("density", self._density)
        self._measure(ITSELF, "largest eigenvalue of D H D")
        scaled = self.kept.values[f"{ITSELF}/largest eigenvalue of D H D"]["value"]
        self._step("radii", lambda: self._sizes(largest["values"][0], scaled))

    def _eigenvalues(self, k: int) -> Json:
        found = top(
            hessian(self.curvatures[ITSELF]), min(k, self.curvatures[ITSELF].dim), tolerance=self.settings.tolerance,
            seed=self.seed, say=self.say,
        )  # fmt: skip
        return {"values": found.values.tolist(), "residuals": found.residuals.tolist(), "method": found.method}

    def _traces(self, curvature: Curvature) -> Json:
        found = hutchinson(hessian(curvature), self.settings.probes, seed=self.seed)
        return {
            "whole": _as_json(found.estimate),
            "blocks": {name: _as_json(each) for name, each in found.blocks.items()},
        }

    def _smallest(self, largest: float) -> Json:
        curvature = self.curvatures[ITSELF]
        found = bottom(
            hessian(curvature), largest=largest, tolerance=self.settings.tolerance, seed=self.seed, say=self.say
        )
        loss, gradient = curvature.loss_and_gradient()
        kept = self.kept.values["eigenvalues"]
        ends = Eigenvalues(np.array(kept["values"]), np.array(kept["residuals"]), np.zeros((0, 0)), 0, kept["method"])
        verdict = minimum(loss, gradient, ends, found)
        return {
            "value": float(found.values[0]),
            "residual": float(found.residuals[0]),
            "is_minimum": bool(verdict.is_minimum),
            "text": verdict.text,
        }

    def _density(self) -> Json:
        operator = hessian(self.curvatures[ITSELF])
        steps = min(_LANCZOS, operator.dim)
        found = stochastic_lanczos(operator, steps=steps, probes=self.settings.density, seed=self.seed, say=self.say)
        return {"nodes": [n.tolist() for n in found.nodes], "weights": [w.tolist() for w in found.weights]}

    def _sizes(self, largest: float, scaled: float) -> Json:
        loss = self.curvatures[ITSELF].loss()
        each = {"plain": largest, "adaptive": max(scaled, 1e-12)}
        return {name: float(np.sqrt(2 * _SHARPNESS * (1 + loss) / value)) for name, value in each.items()}

    def _twins(self) -> None:
        """Chooses their factors, makes them, and holds their predictions against the model's."""
        curvature = self.curvatures[ITSELF]
        traces = {name: each["value"] for name, each in self.kept.values["traces"]["blocks"].items()}
        largest = self.kept.values["eigenvalues"]["values"][0]
        try:
            rescaling = Rescaling(self.source.subject.model)
            if not rescaling.units:
                why = "; ".join(dict.fromkeys(rescaling.pinned.values()))
                raise UserError(f"no layer of the model can be rescaled: {why}")
            choose = {
                SHARPER: lambda: sharper(curvature, rescaling, traces, largest, self.times, self.seed),
                FLATTEST: lambda: flattest(curvature, rescaling, self.settings.probes, self.seed),
            }
            for name, factors in choose.items():
                self._twin(name, self._step(f"{name} twin", factors), rescaling)
        except UserError as error:
            reason = str(error)
            self._step("no twins", functools.partial(str, reason))

    def _twin(self, name: str, factors: dict, rescaling: Rescaling) -> None:
        self.say(f"{name}: {words_of(factors)}")
        model = rescaling.apply(factors, self.source.x[:_SHOWN], self.source.copy)
        self.curvatures[name] = Curvature.of(dataclasses.replace(self.source.subject, model=model))
        self._step(f"{name} change", functools.partial(self._change, name))

    def _change(self, name: str) -> Json:
        """The largest change of a prediction, absolute and of the largest prediction."""
        before, after = self.curvatures[ITSELF].outputs(), self.curvatures[name].outputs()
        change = float(np.abs(after - before).max())
        return {"absolute": change, "relative": change / float(np.abs(before).max())}

    def _measure(self, model: str, name: str) -> None:
        def compute() -> Json:
            try:
                found = MEASURES[name].compute(self.curvatures[model], self._given(model))
            except UserError as error:
                return {"absent": str(error)}
            return _as_json(found)

        if "absent" not in self.kept.values.get(f"{ITSELF}/{name}", {}):
            self._step(f"{model}/{name}", compute)

    def _half(self, name: str) -> None:
        """What the choice of examples leaves unknown, for the model as it is."""
        if "absent" in self.kept.values[f"{ITSELF}/{name}"] or name == "second-order sharpness":
            return
        given = self._given(ITSELF)

        def compute() -> Json:
            return half_error(lambda half: MEASURES[name].compute(half, given).value, self.curvatures[ITSELF])

        self._step(f"halves/{name}", compute)

    def _given(self, model: str) -> Given:
        known = {
            key.partition("/")[2]: Estimate(value["value"], value["error"])
            for key, value in self.kept.values.items()
            if key.startswith(f"{model}/") and "absent" not in value
        }
        radii = self.kept.values.get("radii", {"plain": math.nan, "adaptive": math.nan})
        return Given(self.settings, Radii(**radii), known)

    def _slices(self) -> None:
        """The loss along one random line for all three, plain and with each filter as long as the weights' own."""
        reach = self.kept.values[f"{ITSELF}/slice volume"]["value"]  # twice as far as the loss stays low
        for normalized, radius in ((False, reach), (True, 1.0)):
            for model in self.curvatures:
                name = f"slice/{'filters' if normalized else 'plain'}/{model}"
                self._step(name, functools.partial(self._slice, model, normalized, radius))

    def _slice(self, model: str, normalized: bool, radius: float) -> Json:
        curvature = self.curvatures[model]
        direction = random_directions(curvature, 1, normalized=normalized, seed=self.seed)
        grid, losses = slice_losses(curvature, direction, radius=radius, points=_POINTS)
        return {"grid": grid.tolist(), "losses": losses.tolist()}

    def _step(self, name: str, compute: Callable[[], Json]) -> Json:
        """One result, with a line of how long it took where it is new."""
        if name in self.kept.values:
            return self.kept.values[name]
        start = time.perf_counter()
        value = self.kept.get(name, compute)
        shown = value.get("value") if isinstance(value, dict) else value
        text = f" {shown:.6g}" if isinstance(shown, float) else ""
        self.say(f"{name}:{text} ({time.perf_counter() - start:.1f} s)")
        return value


def _as_json(estimate: Estimate) -> Json:
    return {"value": estimate.value, "error": estimate.error}


def total_cost(settings: Settings, curvature: Curvature) -> float:
    """In products: each measure for the model, its twins and once more for the halves, and what is of it alone."""
    each = sum(cost for m in MEASURES.values() if np.isfinite(cost := m.cost(settings, curvature)))
    alone = 15 + 10 * settings.top + 60 + settings.probes + 50 + _LANCZOS * settings.density
    return (len(MODELS) + 1) * each + alone + 2 * len(MODELS) * _POINTS * 0.2


def words_of(factors: dict[str, float | list[float]]) -> str:
    """Which units take which factors."""
    ends = {name: (np.min(factor), np.max(factor)) for name, factor in factors.items()}
    moved = {name: each for name, each in ends.items() if each != (1, 1)}
    each = [
        f"{name} times {low:.4g}" + (f" to {high:.4g}" if high > low else "") for name, (low, high) in moved.items()
    ]
    some = ", ".join(each[:6])
    return some + (f" and {len(moved) - 6} more" if len(moved) > 6 else "") if moved else "no unit is moved"
