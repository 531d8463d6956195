"""Markdown: tables, and texts that are put into a page between two marks."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from nvp_tf.errors import UserError
from nvp_tf.files import write_text


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """A table of words; its last `numbers` columns stand at the right."""
    rule = ["---"] * (len(heads) - numbers) + ["--:"] * numbers
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, rule, *rows])


def around(page: str | Path, begin: str, end: str) -> tuple[str, str]:
    """What is before and after the place of a text in a page, each with its mark; UserError where one is missing."""
    before, began, rest = Path(page).read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not (began and ended):
        raise UserError(f"{page} lacks the lines {begin} and {end}, expected them where the table shall be")
    return before + begin, end + after


def insert(page: str | Path, begin: str, end: str, text: str) -> None:
    """Puts a text into a page, between the two marks."""
    before, after = around(page, begin, end)
    write_text(page, f"{before}\n\n{text.strip()}\n\n{after}")
