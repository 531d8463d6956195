"""Pictures of a report: what moved and what did not, the loss along lines, the spectrum."""

import numpy as np
from PIL import Image

from nvp_tf.flatness.kept import Json
from nvp_tf.flatness.measures import MEASURES
from nvp_tf.flatness.report import FLATTEST, ITSELF, MODELS, SHARPER
from nvp_tf.pictures.layout import new_figure, to_picture

COLOURS = {ITSELF: "black", SHARPER: "tab:red", FLATTEST: "tab:blue"}
STYLES = {ITSELF: "-", SHARPER: "--", FLATTEST: ":"}
_WIDTHS = {ITSELF: 3.5, SHARPER: 2.0, FLATTEST: 2.0}
_GROUPS = {
    "": "fragile",
    "layers": "unmoved by a\nfactor a layer",
    "units": "unmoved by a\nfactor a unit",
    "all": "unmoved by any\nequivalent weights",
}


def ratios(results: dict[str, Json]) -> Image.Image:
    """Each measure of the twins over that of the model, fragile above, unmoved below; all are of one function."""
    names = [name for name in MEASURES if _value(results, FLATTEST, name) is not None]
    names.sort(key=lambda name: list(_GROUPS).index(MEASURES[name].unmoved))
    figure, ((axes,),) = new_figure((8.5, 0.32 * len(names) + 1.1))
    for row, name in enumerate(reversed(names)):
        start = _value(results, ITSELF, name)
        for model, marker in ((SHARPER, "D"), (FLATTEST, "o")):
            value = _value(results, model, name)
            ratio = value / start if value is not None and start else np.nan
            if ratio > 0:
                axes.plot(ratio, row, marker, color=COLOURS[model], markersize=7 if marker == "D" else 5)
    fragile = sum(not MEASURES[name].unmoved for name in names)
    axes.axhspan(len(names) - fragile - 0.5, len(names) - 0.5, color="tab:orange", alpha=0.12, linewidth=0)
    axes.axvline(1, color="0.6", linewidth=1, zorder=0)
    axes.set_yticks(range(len(names)), names[::-1], fontsize=8)
    groups = [MEASURES[name].unmoved for name in reversed(names)]
    kinds = list(dict.fromkeys(groups))
    middles = [np.mean([row for row, group in enumerate(groups) if group == kind]) for kind in kinds]
    right = axes.secondary_yaxis("right")
    right.set_yticks(middles, [_GROUPS[kind] for kind in kinds], fontsize=8)
    right.tick_params(length=0)
    axes.set(xscale="log", xlabel="over that of the model as it is", ylim=(-0.5, len(names) - 0.5))
    axes.plot([], [], "D", color=COLOURS[SHARPER], label=SHARPER)
    axes.plot([], [], "o", color=COLOURS[FLATTEST], label=FLATTEST)
    axes.legend(fontsize=8, loc="center right")
    return to_picture(figure)


def slices(results: dict[str, Json]) -> Image.Image:
    """The loss along one random line through each of three weights of one function: plain, and filter-normalized."""
    figure, (places,) = new_figure((10, 3.8), columns=2)
    titles = {"plain": "along a random line", "filters": "the same line, each filter as long as the weights'"}
    for axes, (kind, title) in zip(places, titles.items(), strict=True):
        floor = np.inf
        for model in [model for model in MODELS if f"slice/{kind}/{model}" in results]:
            found = results[f"slice/{kind}/{model}"]
            losses = np.array(found["losses"])
            floor = min(floor, np.nanmin(losses))
            style = {"color": COLOURS[model], "linestyle": STYLES[model], "linewidth": _WIDTHS[model]}
            axes.plot(found["grid"], losses, label=model, **style)
        axes.set(yscale="log" if floor > 0 else "linear", xlabel="distance", ylabel="loss")
        axes.set_title(title, fontsize=10)
    places[0].set_xlabel("distance, in units of the weights")
    places[1].set_xlabel("distance, in units of each filter")
    places[0].legend(fontsize=8)
    return to_picture(figure)


def spectrum(results: dict[str, Json]) -> Image.Image:
    """The largest eigenvalues with their residuals, the smallest, and the share of eigenvalues by size."""
    values, residuals = (np.array(results["eigenvalues"][key]) for key in ("values", "residuals"))
    figure, (places,) = new_figure((10, 3.4), columns=2)
    places[0].errorbar(np.arange(len(values)) + 1, values, residuals, fmt="o", color="black", capsize=3, markersize=4)
    places[0].set(xlabel="number", ylabel="eigenvalue of H, with its residual", ylim=(0, None))
    smallest = results["smallest"]["value"]
    places[0].set_title(f"largest {values[0]:.4g}, smallest {smallest:.3g}", fontsize=10)
    if "density" not in results:
        places[1].set_axis_off()
        return to_picture(figure)
    nodes, weights = (np.concatenate(results["density"][key]) for key in ("nodes", "weights"))
    weights = weights / len(results["density"]["nodes"])
    near = 0.01 * values[0]
    edges = np.linspace(min(nodes.min(), 0) - near, values[0] * 1.05, 60)
    places[1].hist(nodes, edges, weights=weights, color="tab:gray")
    places[1].set(yscale="log", xlabel="eigenvalue", ylabel="share of all, by stochastic Lanczos")
    inside = weights[np.abs(nodes) < near].sum()
    places[1].set_title(f"{100 * inside:.1f} % are within 1 % of the largest about 0", fontsize=10)
    return to_picture(figure)


def _value(results: dict[str, Json], model: str, name: str) -> float | None:
    return results.get(f"{model}/{name}", {}).get("value")
