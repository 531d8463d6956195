"""The page that shows a run's figures: one file of HTML, beside its pictures."""

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from nvp_tf.figures import registry
from nvp_tf.runs.source import Source

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
figure { margin: 2.5rem 0; } figure img { max-width: 100%; height: auto; }
figcaption { color: #555; font-size: .9rem; } figcaption b { color: #222; }
table { border-collapse: collapse; } td, th { padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top; }
pre { white-space: pre-wrap; } details { margin: 1rem 0; }
"""


def index_page(source: Source, entries: dict[str, dict[str, Any]], unfit: dict[str, str]) -> str:
    """HTML with the run's facts, its pictures with captions, and what does not fit it.

    Args:
      source: the run.
      entries: name -> {"file", "made_of"} of what is drawn.
      unfit: name -> one line that says why not.
    """
    title = f"Figures of {source.run.path.resolve().name}"
    parts = [
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>',
        f"<h1>{escape(title)}</h1>",
        _table(facts(source)),
        "<details><summary>config.json</summary>"
        f"<pre>{escape(json.dumps(json.loads(source.config.to_json()), indent=2))}</pre></details>",
        *(_figure(name, entry) for name, entry in entries.items()),
    ]
    if unfit:
        parts += ["<h2>Not drawn</h2>", _table([(name, why) for name, why in unfit.items()])]
    return "\n".join(parts) + "\n</html>\n"


def facts(source: Source) -> list[tuple[str, str]]:
    """(what, value) of the run: the data, the model, and how far and how well it was trained."""
    config, rows = source.config, source.run.read_metrics()
    flow = ", ".join(f"{k} {v}" for k, v in json.loads(config.to_json())["model"]["flow"].items() if k != "kind")
    found = [
        ("Data", f"{config.data.name}, {' x '.join(map(str, config.model.event_shape))}"),
        ("Model", f"{config.model.flow.kind} ({flow}), {config.model.prior} prior"),
        ("Weights", source.weights),
    ]
    if metadata := source.run.metadata:
        found.append(("Parameters", f"{metadata['parameters']:,}"))
    if rows:
        steps = f"{rows[-1]['step']:,.0f} of {config.train.steps:,} steps of {config.train.batch_size} examples"
        found.append(("Trained", f"{steps}, {rows[-1]['minutes']:.1f} minutes"))
    if scored := source.run.read_evaluations():
        row = max(scored, key=lambda r: r["valid_log_prob"]) if source.weights == "best" else scored[-1]
        found.append(("Validation", f"{_score(row)} at step {row['step']:,.0f}"))
    return found


def _score(row: dict) -> str:
    nats = f"{row['valid_log_prob']:,.2f} nats an example"
    bits = row.get("valid_bits_per_dim")
    return nats if bits is None else f"{bits:.3f} bits/dim ({nats})"


def _figure(name: str, entry: dict[str, Any]) -> str:
    figure = registry.FIGURES[name]
    thesis = f", thesis figure {figure.thesis}" if figure.thesis else ""
    options = "".join(f" --{key}={value}" for key, value in entry["made_of"]["options"].items())
    how = f"nvp_tf figure {name}{options} --seed={entry['made_of']['seed']}"
    return (
        f'<figure id="{name}"><img src="{escape(entry["file"])}" alt="{escape(figure.summary)}">'
        f"<figcaption><b>{name}</b>{thesis}: {escape(figure.summary)}"
        f"<details><summary><code>{escape(how)}</code></summary>"
        f"<pre>{escape(figure.explanation)}</pre></details></figcaption></figure>"
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(what)}</th><td>{escape(value)}</td></tr>" for what, value in rows)
    return f"<table>{cells}</table>"
