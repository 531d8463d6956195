"""Every figure that a run can give, in one folder with a page that shows them; begun again, it keeps what is done."""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from nvp_tf.figures import registry
from nvp_tf.figures.index_page import index_page
from nvp_tf.files import json_text, write_text
from nvp_tf.pictures import layout
from nvp_tf.runs.source import Source, Unfit

RECORD = "figures.json"  # name -> what was drawn, and from what


def draw_all(source: Source, folder: str | Path, options: dict[str, Any]) -> dict[str, Any]:
    """Draws every figure that fits the run into `folder`, with an index.html.

    A figure that is there, drawn from the same weights, seed and options, is kept. The page and the record are
    written after each figure, so that an interrupted call loses one figure at most. Progress goes to stderr.

    Args:
      options: given to those figures that take them.

    Returns:
      {"drawn": names, "kept": names, "unfit": {name: why}}.
    """
    folder = Path(folder)
    wanted = _wanted(source, options)
    record = _read(folder / RECORD)
    entries = {n: e for n, e in record.items() if e["made_of"] == wanted.get(n) and (folder / e["file"]).is_file()}
    kept = [name for name in wanted if name in entries]
    drawn: list[str] = []
    unfit: dict[str, str] = {}
    if entries:
        _progress(f"{len(entries)} of {len(wanted)} figures are there and kept")
    for number, name in enumerate(wanted, start=1):
        if name not in entries:
            start = time.perf_counter()
            try:
                file = _save(registry.draw(name, source, wanted[name]["options"]), folder / name)
            except Unfit as reason:
                unfit[name] = what = " ".join(str(reason).split())
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"{len(entries)} figures are in {folder}, the same command goes on") from None
            else:
                entries[name] = {"file": file.name, "made_of": wanted[name]}
                drawn.append(name)
                what = f"{file.name} in {time.perf_counter() - start:.1f} s"
            _progress(f"[{number:2}/{len(wanted)}] {name}: {what}")
        in_order = {name: entries[name] for name in wanted if name in entries}
        write_text(folder / RECORD, json_text(in_order, indent=2) + "\n")
        write_text(folder / "index.html", index_page(source, in_order, unfit))
    return {"drawn": drawn, "kept": kept, "unfit": unfit}


def _wanted(source: Source, options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """name -> what the figure is to be made of; a picture made of the same need not be drawn again."""
    with open(source.run.weights_file(source.weights), "rb") as file:
        weights = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        name: {
            "weights": weights,
            "seed": source.seed,
            "options": {key: value for key, value in options.items() if key in figure.options},
        }
        for name, figure in registry.FIGURES.items()
    }


def _save(drawing: layout.Drawing, stem: Path) -> Path:
    file = stem.with_suffix(".gif" if isinstance(drawing, layout.Animation) else ".png")
    layout.save(drawing, file)
    return file


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _read(file: Path) -> dict[str, dict[str, Any]]:
    """The record; empty where there is none, or one that is not ours to read."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return {name: {"file": str(e["file"]), "made_of": e["made_of"]} for name, e in entries.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}
