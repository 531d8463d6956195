"""A measurement in text: a row an image as CSV, a row a set as Markdown."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from nvp_tf.evaluation.reference import RANKS
from nvp_tf.markdown import table
from nvp_tf.models.objectives import bits_per_dim
from nvp_tf.out_of_distribution.detectors import LEVEL, RULES
from nvp_tf.out_of_distribution.measure import HELD_OUT, OWN, Measurement

_BLANK = "–"


def scores_csv(measurement: Measurement) -> str:
    """set, log_prob, bits_per_dim, percentile, typicality, foreign, webp (L(x) in bits); the validation split, too."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["set", "log_prob", "bits_per_dim", *RANKS, "webp"])
    for name, scored in {HELD_OUT: measurement.detectors.held_out, **measurement.scored}.items():
        ranks = measurement.detectors.ranks(scored)
        columns = [
            scored.log_prob,
            bits_per_dim(scored.log_prob, measurement.dimensions),
            *(ranks[rank] for rank in RANKS),
            scored.webp,
        ]
        writer.writerows([name, *(f"{value:.9g}" for value in row)] for row in zip(*columns, strict=True))
    return text.getvalue()


def tables(figures: dict[str, dict[str, Any]]) -> str:
    """What `Measurement.figures` says, in three tables: the scores, the AUROC of each rule, and what each catches."""
    return "\n\n".join([_scores(figures), _aurocs(figures), _caught(figures)]) + "\n"


def _scores(figures: dict[str, dict[str, Any]]) -> str:
    heads = ("images", "log_prob", "bits/dim", "median", *RANKS, "WebP")
    rows: dict[str, tuple[str, ...]] = {
        name: (
            str(row["images"]),
            f"{row['log_prob']:.0f}",
            f"{row['bits_per_dim']:.2f}",
            f"{row['bits_per_dim_median']:.2f}",
            f"{row['percentile']:.1f}",
            f"{row['typicality']:.3f}",
            f"{row['foreign']:.3f}",
            f"{row['webp']:.2f}",
        )
        for name, row in figures.items()
    }
    return _table("scores", heads, rows)


def _aurocs(figures: dict[str, dict[str, Any]]) -> str:
    rows = {name: tuple(_number(row["auroc"][rule]) for rule in RULES) for name, row in figures.items() if name != OWN}
    return _table("AUROC", RULES, rows)


def _caught(figures: dict[str, dict[str, Any]]) -> str:
    rows = {name: tuple(_percent(row["caught"][rule]) for rule in RULES) for name, row in figures.items()}
    return _table(f"p < {LEVEL}", RULES, rows)


def _number(value: float | None) -> str:
    return _BLANK if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return _BLANK if value is None else f"{100 * value:.1f} %"


def _table(corner: str, heads: Sequence[str], rows: dict[str, tuple[str, ...]]) -> str:
    return table((corner, *heads), [(name, *cells) for name, cells in rows.items()], numbers=len(heads))


def marks(name: str) -> tuple[str, str]:
    """The two lines of a page that a run's table is put between."""
    return f"<!-- table: {name} -->", f"<!-- end of table: {name} -->"
