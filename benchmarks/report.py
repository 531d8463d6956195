"""Markdown of a benchmark's figures, put into a page between its own two marks."""

from pathlib import Path

from nvp_tf.errors import UserError
from nvp_tf.files import write_text
from nvp_tf.markdown import insert


def number(value) -> str:
    """Three digits or more: "0.0123", "12.3", "12,345"."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(found) -> str:
    """ "0.98x (0.95–1.02)" of {"median", "low", "high"}."""
    return f"{found['median']:.2f}x ({found['low']:.2f}–{found['high']:.2f})"


def percent(found) -> str:
    """ "61 % (58–62)" of {"median", "low", "high"}."""
    return f"{100 * found['median']:.0f} % ({100 * found['low']:.0f}–{100 * found['high']:.0f})"


def at_least(what, value, bound) -> dict:
    """What must hold, for `checks`."""
    return {"what": what, "value": value, "expected": f"at least {bound}", "holds": value >= bound}


def at_most(what, value, bound) -> dict:
    """What must hold, for `checks`."""
    return {"what": what, "value": value, "expected": f"at most {number(bound)}", "holds": value <= bound}


def checks(found) -> str:
    """A list of {"what", "value", "expected", "holds"}, a line each."""
    return "\n".join(
        f"- {check['what']}: {number(check['value'])}, expected {check['expected']}: "
        f"{'holds' if check['holds'] else '**does not hold**'}"
        for check in found
    )


def machine(about, others) -> str:
    """One paragraph: of `machine.describe`, and the share of the processor that other processes used."""
    return (
        f"{about['processor']} ({', '.join(about['extensions']) or 'no vector extensions'}), {about['cores']} cores, "
        f"{about['memory_bytes'] / 2**30:.0f} GB; {about['system']}; {versions(about)}; this project's commit "
        f"{about['code']}. "
        f"Other processes used {100 * others:.0f} % of the cores meanwhile."
    )


def versions(about) -> str:
    return ", ".join(f"{name} {version}" for name, version in about["versions"].items())


def replace_section(file, name, text):
    """Puts `text` between the marks of that name in a Markdown file; at its end, marked, where there are none.

    Raises:
      UserError: one of the two marks is missing.
    """
    file = Path(file)
    page = file.read_text(encoding="utf-8") if file.exists() else ""
    begin, end = f"<!-- {name}: made by bin/benchmark.py -->", f"<!-- end of {name} -->"
    if (begin in page) != (end in page):
        raise UserError(f"{file} has one of {begin!r} and {end!r}, expected both or neither")
    if begin not in page:
        write_text(file, f"{page.rstrip()}\n\n{begin}\n{end}\n".lstrip())
    insert(file, begin, end, text)
