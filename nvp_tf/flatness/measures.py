"""Every measure of the report by name: what it is of, what leaves it alone, and how it is computed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from nvp_tf.flatness import operators
from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.estimate import Estimate
from nvp_tf.flatness.invariants import fisher_rao, input_gradient_norm, margins
from nvp_tf.flatness.metric import metric_eigenvalues
from nvp_tf.flatness.relative_flatness import relative_flatness
from nvp_tf.flatness.sharpness import second_order, sharpness
from nvp_tf.flatness.spectrum import top
from nvp_tf.flatness.trace import hutchinson
from nvp_tf.flatness.volume import slice_volume

_GRADIENT = 0.4  # of a product's time, a gradient; a loss is half of that
_METRIC_WEIGHTS = 500  # above, F^-1 H takes longer than all else
_KERNELS = 24  # above, relative flatness does


@dataclass(frozen=True)
class Settings:
    """How much is spent.

    tolerance: of an eigenvalue, relative.
    top: how many eigenvalues of the model as it is.
    probes: of a trace; a quarter as many for each kernel's relative flatness.
    steps: of an ascent.
    slices: random lines of a volume.
    density: probes of the spectral density, 40 products each; 0 for none.
    rise: of the loss, up to which a volume and a slice go.
    """

    tolerance: float = 1e-2
    top: int = 10
    probes: int = 30
    steps: int = 10
    slices: int = 4
    density: int = 2
    rise: float = 0.1
    seed: int = 0


TIERS = {
    "full": Settings(),
    "brief": Settings(tolerance=3e-2, top=3, probes=12, steps=5, slices=2, density=1),
    "least": Settings(tolerance=1e-1, top=1, probes=6, steps=3, slices=1, density=0),
}


@dataclass(frozen=True)
class Radii:
    """Sizes of neighbourhoods, from the model as it is and the same for its twins.

    plain: with sharpness s to second order: sqrt(2 s (1 + L) / lambda_max), s one for all models.
    adaptive: the same of D H D.
    """

    plain: float
    adaptive: float


@dataclass(frozen=True)
class Given:
    """What a measure may use. known: what was found of the same model before, by name."""

    settings: Settings
    radii: Radii
    known: Mapping[str, Estimate] = field(default_factory=dict)


Compute = Callable[[Curvature, Given], Estimate]


@dataclass(frozen=True)
class Measure:
    """A row of the table.

    unmoved: by what: "" for nothing (fragile), "layers" for one factor a layer, "units" for one a unit or channel,
      "all" for any change of the weights that leaves the function alone.
    cost: in products of H, from the settings and the curvature.
    """

    words: str
    unmoved: str
    cost: Callable[[Settings, Curvature], float]
    compute: Compute


def _eigenvalue(adaptive: bool) -> Compute:
    def compute(curvature: Curvature, given: Given) -> Estimate:
        found = top(_operator(curvature, adaptive), tolerance=given.settings.tolerance, seed=given.settings.seed)
        return Estimate(float(found.values[0]), float(found.residuals[0]))

    return compute


def _trace(adaptive: bool) -> Compute:
    def compute(curvature: Curvature, given: Given) -> Estimate:
        return hutchinson(_operator(curvature, adaptive), given.settings.probes, seed=given.settings.seed).estimate

    return compute


def _operator(curvature: Curvature, adaptive: bool) -> operators.Operator:
    hessian = operators.hessian(curvature)
    return hessian.scaled(curvature.weights) if adaptive else hessian


def _sharpness(adaptive: bool) -> Compute:
    def compute(curvature: Curvature, given: Given) -> Estimate:
        epsilon = given.radii.adaptive if adaptive else given.radii.plain
        steps, seed = given.settings.steps, given.settings.seed
        found = sharpness(curvature, epsilon, adaptive=adaptive, steps=steps, restarts=1, seed=seed)
        return Estimate(found.value, math.nan)

    return compute


def _volume(adaptive: bool) -> Compute:
    def compute(curvature: Curvature, given: Given) -> Estimate:
        scale = curvature.weights if adaptive else None
        return slice_volume(
            curvature, given.settings.rise, slices=given.settings.slices, scale=scale, seed=given.settings.seed
        ).estimate

    return compute


def _relative(curvature: Curvature, given: Given) -> Estimate:
    each = relative_flatness(curvature, probes=_kernel_probes(given.settings), seed=given.settings.seed).values()
    return Estimate(sum(e.value for e in each), math.sqrt(sum(e.error**2 for e in each)))


def _kernel_probes(settings: Settings) -> int:
    return max(settings.probes // 4, 2)


def _relative_cost(settings: Settings, curvature: Curvature) -> float:
    kernels = _kernels(curvature)
    return kernels * _kernel_probes(settings) if kernels <= _KERNELS else math.inf


def _kernels(curvature: Curvature) -> int:
    return sum(len(block.shape) > 1 for block in curvature.blocks)


def _mean(values: np.ndarray) -> Estimate:
    error = float(np.std(values) / math.sqrt(len(values)))
    return Estimate(float(np.mean(values)), error)


def _metric(curvature: Curvature, given: Given) -> Estimate:
    return Estimate(float(metric_eigenvalues(curvature).values.max()), 0.0)


def _few(curvature: Curvature) -> float:
    """The cost of 2 dim products; without end where they are too many."""
    return 2 * curvature.dim if curvature.dim <= _METRIC_WEIGHTS else math.inf


def _constant(products: float) -> Callable[[Settings, Curvature], float]:
    return lambda settings, curvature: products


def _ascents(settings: Settings, curvature: Curvature) -> float:
    return _GRADIENT * 2 * 2 * settings.steps


def _rays(settings: Settings, curvature: Curvature) -> float:
    return _GRADIENT / 2 * 2 * settings.slices * 30


def _probes(settings: Settings, curvature: Curvature) -> float:
    return settings.probes


def _second_order(curvature: Curvature, given: Given) -> Estimate:
    largest = given.known["largest eigenvalue"].value
    return Estimate(second_order(curvature.loss(), largest, given.radii.plain), math.nan)


def _gradient_norm(curvature: Curvature, given: Given) -> Estimate:
    return Estimate(float(np.linalg.norm(curvature.gradient())), 0.0)


_BALL, _SCALED = "the highest loss found in a ball", "the highest loss found in |weights| times a ball"
MEASURES = {
    "gradient norm": Measure("|g|", "", _constant(1), _gradient_norm),
    "largest eigenvalue": Measure("lambda_max of H", "", _constant(25), _eigenvalue(False)),
    "trace": Measure("tr H, Hutchinson", "", _probes, _trace(False)),
    "second-order sharpness": Measure("eps^2 lambda_max / (2 (1 + L))", "", _constant(0.2), _second_order),
    "epsilon-sharpness": Measure(_BALL, "", _ascents, _sharpness(False)),
    "slice volume": Measure("length of random lines with a low loss", "", _rays, _volume(False)),
    "largest eigenvalue of D H D": Measure("D = diag(weights)", "units", _constant(25), _eigenvalue(True)),
    "trace of D H D": Measure("D = diag(weights)", "units", _probes, _trace(True)),
    "adaptive sharpness": Measure(_SCALED, "units", _ascents, _sharpness(True)),
    "slice volume in |weights|": Measure("the same, along |weights| times a line", "units", _rays, _volume(True)),
    "Fisher-Rao norm": Measure("sqrt(E (weights . grad)^2)", "units", _constant(2), lambda c, g: fisher_rao(c)),
    "relative flatness": Measure("summed over kernels", "layers", _relative_cost, _relative),
    "largest eigenvalue of F^-1 H": Measure("F the Fisher matrix", "all", lambda s, c: _few(c), _metric),
    "loss": Measure("mean over the examples", "all", _constant(0.2), lambda c, g: _mean(c.losses())),
    "accuracy": Measure("of the examples", "all", _constant(0.2), lambda c, g: _mean(margins(c) > 0)),
    "margin": Measure("mean", "all", _constant(0.2), lambda c, g: _mean(margins(c))),
    "input-gradient norm": Measure("mean of |d loss / d x|", "all", _constant(1), lambda c, g: input_gradient_norm(c)),
}


def settings_from(values: dict) -> Settings:
    """Settings as a JSON file has them."""
    return Settings(**{field.name: values[field.name] for field in fields(Settings)})
