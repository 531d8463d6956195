"""A report as a page and as Markdown: what moved beside what did not, and what neither of them says."""

import math
from html import escape

from nvp_tf.flatness.kept import Json
from nvp_tf.flatness.measures import MEASURES
from nvp_tf.flatness.report import FLATTEST, ITSELF, MODELS, SHARPER, words_of
from nvp_tf.markdown import table as markdown_table

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
img { max-width: 100%; height: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .2rem .8rem .2rem 0; text-align: right; border-bottom: 1px solid #eee; vertical-align: top; }
td:first-child, th:first-child, td:last-child, th:last-child { text-align: left; }
tr.fragile { background: #fff3e6; } small { color: #666; }
.verdict { border-left: 4px solid #d62728; padding-left: 1rem; }
"""
PICTURES = {
    "ratios.png": "Every measure of the two twins over that of the model. All three are the same function.",
    "slices.png": "The loss along one random line. Filter-normalized, a layer's factor does not move it.",
    "spectrum.png": "The spectrum of the Hessian of the model as it is.",
}
BY = {"": "nothing", "layers": "a factor a layer", "units": "a factor a unit", "all": "any equivalent weights"}
FRAGILE = (
    "What is fragile says nothing by itself: the same predictions, to the last digits, have it as large as one pleases "
    "(Dinh, Pascanu, Bengio and Bengio 2017, arXiv 1703.04933). To write that a minimum is flat is to write which "
    "weights were looked at. With a metric that is carried along flatness is well defined, and then it depends on the "
    "metric (Kristiadi, Dangel and Hennig 2023, arXiv 2302.07384)."
)
NOT_PREDICTIVE = (
    "What is unmoved is not thereby predictive: it only means that a rescaling of the weights, which changes no "
    "prediction, does not change it either. Adaptive sharpness 'does not correlate well with generalization but rather "
    "with some training parameters' (Andriushchenko et al. 2023, arXiv 2302.07011), and the scale of the logits moves "
    "it. Of more than 40 measures on 10,000 networks, sharpness among them, Jiang et al. (2019, arXiv 1912.02178) "
    "report 'surprising failures of some measures as well as promising measures for further research'."
)


def rows(results: dict[str, Json]) -> list[tuple[str, ...]]:
    """(measure, as it is, sharper, flattest, error of probes, error of the examples, unmoved by) as text."""
    found = []
    for name, measure in MEASURES.items():
        values = [results.get(f"{model}/{name}", {}) for model in MODELS]
        if "value" not in values[0]:
            continue
        half, error = results.get(f"halves/{name}"), values[0].get("error")
        errors = ["–" if e is None or math.isnan(e) else f"{e:.1g}" for e in (error, half)]
        found.append((name, *(number(each.get("value")) for each in values), *errors, BY[measure.unmoved]))
    return found


def number(value: float | None) -> str:
    """Six digits: enough to see that the unmoved ones are unmoved."""
    return "–" if value is None or math.isnan(value) else f"{value:.6g}"


HEADS = ("measure", ITSELF, SHARPER, FLATTEST, "± probes", "± examples", "unmoved by")


def facts(results: dict[str, Json], name: str) -> list[str]:
    """Sentences about the model, the twins and how far their predictions are."""
    about, found = (
        results["about"],
        [f"{name}: {results['about']['weights']:,} weights, {results['about']['examples']} examples."],
    )
    if "smallest" in results:
        found.append(results["smallest"]["text"])
    for twin, words in (
        (SHARPER, "by the largest eigenvalue"),
        (FLATTEST, "by the trace, as far as its units go"),
    ):
        change = results.get(f"{twin} change")
        if change:
            said = f"predictions change by {change['absolute']:.1e} at most, {change['relative']:.1e} of the largest"
            found.append(f"{twin.capitalize()} ({words}): {words_of(results[f'{twin} twin'])}; {said}.")
    if "no twins" in results:
        found.append(f"No equivalent model to show: {results['no twins']}.")
    found.append(f"H v is {about['difference']:.1e} from differences of gradients; batch norm with running statistics.")
    return [*found, *(f"{note}." for note in about["notes"])]


def absent(results: dict[str, Json]) -> list[str]:
    """What there is not for this model, and why."""
    each = {name: results.get(f"{ITSELF}/{name}", {}) for name in MEASURES}
    return [f"No {name}: {value['absent']}." for name, value in each.items() if "absent" in value]


def marks(place: str) -> tuple[str, str]:
    """The two lines of a page between which its table stands."""
    return f"<!-- flatness: {place} -->", f"<!-- end of flatness: {place} -->"


def markdown_rows(results: dict[str, Json]) -> str:
    """The table, what leaves a measure alone in its second column."""
    words = [(row[0].replace("|", "&#124;"), row[-1], *row[1:-1]) for row in rows(results)]
    return markdown_table((HEADS[0], HEADS[-1], *HEADS[1:-1]), words, numbers=len(HEADS) - 2)


def markdown(results: dict[str, Json], name: str) -> str:
    """The table with what must be said beside it."""
    return f"{sentences(results, name)}\n\n{markdown_rows(results)}\n\n{FRAGILE}\n\n{NOT_PREDICTIVE}\n"


def sentences(results: dict[str, Json], name: str) -> str:
    """What was measured and how far the twins' predictions are, as a list; and what there is not."""
    return "\n".join(f"- {fact}" for fact in facts(results, name) + absent(results))


def page(results: dict[str, Json], name: str, pictures: list[str]) -> str:
    """HTML; its pictures lie beside it."""
    minimum = results.get("smallest", {}).get("is_minimum")
    heads = "".join(f"<th>{escape(head)}</th>" for head in HEADS)
    fragile = {name for name, measure in MEASURES.items() if not measure.unmoved}
    body = "".join(
        f"<tr{' class=fragile' if row[0] in fragile else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows(results)
    )
    first, *others = facts(results, name)
    parts = [
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(name)}: how flat?</title>',
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>',
        f"<h1>How flat is {escape(name)}? Any answer you like</h1><p>{escape(first)}</p>",
        "" if minimum or minimum is None else "<p class=verdict>This is no minimum of the loss on these examples.</p>",
        f"<table><tr>{heads}</tr>{body}</table><p><small>Shaded: fragile. {escape(_ERRORS)}</small></p>",
        f"<p>{escape(FRAGILE)}</p><p>{escape(NOT_PREDICTIVE)}</p>",
        *(f'<figure><img src="{p}" alt=""><figcaption>{escape(PICTURES[p])}</figcaption></figure>' for p in pictures),
        "<h2>How it was found</h2><ul>" + "".join(f"<li>{escape(f)}</li>" for f in others + absent(results)) + "</ul>",
    ]
    return "\n".join(parts) + "\n</html>\n"


_ERRORS = (
    "± probes is one standard error of what was drawn, of an eigenvalue its residual; ± examples is half of the "
    "difference between two halves of the examples. Sharpnesses are the best points found: lower bounds."
)
