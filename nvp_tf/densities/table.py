"""Rows over seeds in one table: Markdown for a person, CSV for a program."""

import csv
import io
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from nvp_tf import markdown
from nvp_tf.densities.conversion import bits_per_dim
from nvp_tf.densities.worker import FAILED
from nvp_tf.event import Event

_BLANK = "–"
_FEW_STEPS = 100  # below them a gradient method has hardly begun


@dataclass(frozen=True)
class Line:
    """All seeds of one candidate.

    done, failed: its rows.
    """

    name: str
    done: list[dict]
    failed: list[dict]

    def mean(self, key: str) -> float | None:
        """Over seeds; None where one has none: a mean over the others would hide it."""
        values = self._values(key)
        return statistics.fmean(values) if values else None

    def spread(self, key: str) -> float | None:
        """The standard deviation over seeds; None for fewer than two."""
        values = self._values(key)
        return statistics.stdev(values) if len(values) > 1 else None

    def _values(self, key: str) -> list[float]:
        """One a seed; [] where one has none."""
        values = [value for row in self.done if (value := row.get(key)) is not None]
        return values if len(values) == len(self.done) else []

    @property
    def kind(self) -> str:
        """ "exact", "bound" or "estimate"; marked where a row says that it cannot be used."""
        kind = self.done[0]["kind"]
        return f"{kind}, unusable" if any("unusable" in note for row in self.done for note in row["notes"]) else kind


def lines(rows: list[dict]) -> list[Line]:
    """One a candidate, the best first and those without a score last."""
    names = dict.fromkeys(row["name"] for row in rows)
    made = []
    for name in names:
        mine = [row for row in rows if row["name"] == name]
        failed = [row for row in mine if row["status"] == FAILED]
        made.append(Line(name, [row for row in mine if row["status"] != FAILED], failed))
    return sorted(made, key=lambda line: 1e300 if (nats := line.mean("log_prob")) is None else -nats)


def markdown_table(rows: list[dict], event: Event) -> str:
    """The table, and below it what a reader has to know of single rows."""
    found = lines(rows)
    unit = "bits/dim, lower is better" if event.is_image else "log-density, nats, higher is better"
    heads = [
        "model", "kind", "can", unit, "± examples", "± seeds", "bound gap", "train–test gap", "parameters",
        "trained/s", "scored/s", "sampled/s", "ms of one", "GB", "minutes", "steps",
    ]  # fmt: skip
    body = [_cells(line, event) for line in found if line.done]
    body += [[line.name, FAILED] + [_BLANK] * (len(heads) - 2) for line in found if not line.done]
    return markdown.table(heads, body, numbers=len(heads) - 3) + "\n\n" + "\n".join(_remarks(found)) + "\n"


def _cells(line: Line, event: Event) -> list[str]:
    def nats(value: float | None, sign: float = 1.0) -> float | None:
        """In the table's unit; `sign` -1 for a score, of which more nats are fewer bits."""
        if value is None:
            return None
        return sign * abs(float(bits_per_dim(1.0, event.dimensions))) * value if event.is_image else value

    first = line.done[0]
    score = nats(line.mean("log_prob"), -1.0)
    gap, error = nats(line.mean("bound_gap")), nats(line.mean("bound_gap_error"))
    overfit = nats(line.mean("gap"))  # positive where the test split is the harder, in bits as in nats
    return [
        line.name,
        f"{line.kind}: {first['how']}",
        ", ".join(first["can"]),
        number(score, 3),
        number(nats(line.mean("error")), 3),
        number(nats(line.spread("log_prob")), 3),
        _BLANK if gap is None else f"{gap:.3f} ± {error:.3f}",
        number(overfit, 3),
        f"{first['parameters']:,}",
        *(number(line.mean(key)) for key in ("train_per_second", "score_per_second", "sample_per_second")),
        number(line.mean("latency_ms")),
        number(line.mean("memory_gigabytes"), 2),
        number(line.mean("minutes"), 1),
        f"{line.mean('steps'):,.0f}",
    ]


def number(value: float | None, decimals: int | None = None) -> str:
    """With so many decimals, or as many as three figures take."""
    if value is None:
        return _BLANK
    if decimals is None:
        decimals = max(0, 2 - len(f"{abs(value):.0f}") + (abs(value) < 1)) if value else 0
        return f"{value:,.{decimals}f}" if abs(value) >= 0.01 or not value else f"{value:.1e}"
    return f"{value:.{decimals}f}"


def _remarks(found: list[Line]) -> Iterator[str]:
    for line in found:
        for row in line.failed:
            yield f"- {line.name}, seed {row['seed']}: {FAILED}: {row['why']}"
        for row in line.done:
            said = list(row["notes"]) + row["problems"]
            if row["ended"] not in ("budget", "converged"):
                said.append(f"ended early by {row['ended']}")
            if row["curve"] and row["curve"][-1]["train"] is not None and row["steps"] < _FEW_STEPS:
                said.append(f"{row['steps']} steps: the budget is too small for it")
            if said:
                yield f"- {line.name}, seed {row['seed']}: {'; '.join(said)}"


def csv_table(rows: list[dict]) -> str:
    """A line a row, every figure; lists as JSON would have them, the curve and the settings left to the row's file."""
    keys = list(dict.fromkeys(key for row in rows for key in row if key not in ("settings", "curve")))
    text = io.StringIO()
    writer = csv.DictWriter(text, keys, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "; ".join(map(str, v)) if isinstance(v := row.get(key), list) else v for key in keys})
    return text.getvalue()
