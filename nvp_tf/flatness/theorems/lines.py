"""What a theorem says and what was measured, side by side."""

from dataclasses import asdict, dataclass

RELATIONS = {
    "=": lambda measured, bound, within: abs(measured - bound) <= within * max(abs(bound), 1.0),
    ">=": lambda measured, bound, within: measured >= bound - within * max(abs(bound), 1.0),
    "<=": lambda measured, bound, within: measured <= bound + within * max(abs(bound), 1.0),
}


@dataclass(frozen=True)
class Line:
    """One statement.

    statement: in words and plain ASCII maths.
    relation: "=", ">=" or "<=": measured RELATION bound.
    bound: what the text says, a number; computed from what the statement is about, not from what is measured.
    measured: what was found.
    within: relative tolerance; absolute where the bound is below 1.
    """

    statement: str
    relation: str
    bound: float
    measured: float
    within: float = 1e-10

    @property
    def holds(self) -> bool:
        return bool(RELATIONS[self.relation](self.measured, self.bound, self.within))

    def as_dict(self) -> dict:
        return asdict(self) | {"holds": self.holds}


def table(lines: list[Line]) -> str:
    """Lines in columns: the statement, the bound, what was measured, whether it holds."""
    rows = [("statement", "the text", "measured", "")]
    rows += [
        (line.statement, f"{line.relation:>2} {line.bound:.6g}", f"{line.measured:.6g}", "" if line.holds else "FAILS")
        for line in lines
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, [*widths, 0], strict=True)).rstrip() for row in rows
    )
