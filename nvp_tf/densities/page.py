"""The page of a comparison: the table, what it is of, and its pictures, one file of HTML beside them."""

import platform
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from nvp_tf.data.split import DataSet
from nvp_tf.densities import plots
from nvp_tf.densities.comparison import Comparison, Terms
from nvp_tf.densities.contract import examples
from nvp_tf.densities.table import Line, csv_table, lines, markdown_table
from nvp_tf.event import Event
from nvp_tf.files import write_text
from nvp_tf.pictures.layout import save
from nvp_tf.runtime import cores

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
figure { margin: 2.5rem 0; } figure img { max-width: 100%; height: auto; } figcaption { color: #555; }
table { border-collapse: collapse; font-size: .8rem; } td, th { padding: .2rem .6rem; border-bottom: 1px solid #ddd; }
td { text-align: right; } td:nth-child(-n+3), th { text-align: left; vertical-align: top; }
"""
_CAPTIONS = {
    "scoring.png": "How good, for how long a score takes; a bound is at least as good as it says.",
    "training.png": "Validation scores along the way, of the first seed.",
    "samples.png": "Samples of the first seed, not chosen.",
    "densities.png": "Log-densities in the plane, and samples in white, of the first seed.",
}


def write_tables(comparison: Comparison, rows: list[dict], event: Event, dataset: str) -> None:
    """table.md and table.csv of the rows so far."""
    said = "".join(f"- {fact}\n" for fact in facts(comparison.terms, event, dataset))
    write_text(comparison.folder / "table.md", f"{markdown_table(rows, event)}\n{said}")
    write_text(comparison.folder / "table.csv", csv_table(rows))


def write_page(comparison: Comparison, rows: list[dict], dataset: DataSet) -> Path:
    """The pictures and index.html of rows of which one is done; returns the page."""
    found, event = lines(rows), dataset.event
    drawings = {
        "scoring.png": plots.against_scoring(found, event),
        "training.png": plots.against_training(found, event),
    } | _drawn(comparison, found, dataset)
    for name, picture in drawings.items():
        save(picture, comparison.folder / name)
    title = f"Densities of {dataset.name}"
    parts = [
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>',
        f"<h1>{escape(title)}</h1>",
        _html(markdown_table(rows, event)),
        _list(facts(comparison.terms, event, dataset.name)),
        *(
            f'<figure><img src="{name}" alt="{escape(_CAPTIONS[name])}"><figcaption>{escape(_CAPTIONS[name])}'
            "</figcaption></figure>"
            for name in drawings
        ),
    ]
    write_text(comparison.folder / "index.html", "\n".join(parts) + "\n</html>\n")
    return comparison.folder / "index.html"


def facts(terms: Terms, event: Event, dataset: str) -> list[str]:
    """What holds for every row."""
    budget = [f"{terms.seconds / 60:g} minutes of wall-clock" if terms.seconds else ""]
    budget += [f"{terms.steps:,} steps" if terms.steps else ""]
    what = "log P(x) of the integers" if event.is_image else "the log-density of the vectors as they are given"
    return [
        f"{dataset}, {event}: {what}; {terms.num:,} test examples at most, the same for each",
        f"{' and '.join(filter(None, budget))} to train, with all that belongs to it, on {cores()} cores "
        f"({platform.machine()}); weights chosen on the validation split alone",
        "exact: the probability itself. bound: not above it, in expectation over its draws. estimate: on either side",
        "bound gap: what 16 times the draws add to the bound, of 100 examples; at least so much is left out",
        "± seeds: the standard deviation over seeds; no settings were tuned for this data: one run a seed",
        "GB: the most that the row's process held, of which some 0.7 are TensorFlow",
    ]


def _drawn(comparison: Comparison, found: list[Line], dataset: DataSet) -> dict[str, Image.Image]:
    """The picture of what was drawn, {} where there is nothing of it to see."""
    files = {line.name: comparison.drawn(line.done[0]) for line in found if line.done}
    drawn = {name: dict(np.load(file, allow_pickle=False)) for name, file in files.items() if file.is_file()}
    test = examples(dataset.test, 500)
    if dataset.event.is_image and dataset.event.shape[2] in (1, 3):
        images = {name: arrays["samples"] for name, arrays in drawn.items() if "samples" in arrays}
        return {"samples.png": plots.samples(found, images, test, dataset.event.top + 1)} if images else {}
    grids = {name: arrays for name, arrays in drawn.items() if "log_prob" in arrays}
    return {"densities.png": plots.densities(found, grids, test)} if grids else {}


def _html(text: str) -> str:
    """The table and the list of `markdown_table` as HTML."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    remarks = [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
    heads, _, *body = rows
    cells = ["".join(f"<th>{escape(cell)}</th>" for cell in heads)]
    cells += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in body]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>" + _list(remarks)


def _list(items: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
