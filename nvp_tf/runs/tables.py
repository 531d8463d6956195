"""Tables 5.1 and 5.2 of the thesis in Markdown, its numbers beside those of the runs found here."""

from collections.abc import Sequence
from pathlib import Path

from nvp_tf.config.presets.real_nvp import OTHERS, OTHERS_BITS
from nvp_tf.config.presets.registry import TABLE_5_1, TABLE_5_2, Preset
from nvp_tf.config.schema import RealNVPConfig
from nvp_tf.errors import UserError
from nvp_tf.markdown import table
from nvp_tf.runs.run_dir import RunDir

BLANK = "–"


def find_runs(folder: str | Path) -> list[RunDir]:
    """Every run below a folder, by path.

    Raises:
      UserError: no such folder.
    """
    if not Path(folder).is_dir():
        raise UserError(f"runs is {folder}, expected a folder with runs in it")
    return [RunDir(file.parent) for file in sorted(Path(folder).rglob("config.json"))]


def tables(runs: Sequence[RunDir]) -> str:
    """Both tables, then every run that was found."""
    parts = [
        "## Table 5.1: NICE",
        table(
            ("data set", "whitening", "hidden layers", "prior", "nats, thesis", "bits/dim, thesis", "here", "budget"),
            [_nice_row(preset, _best(runs, preset)) for preset in TABLE_5_1.values()],
        ),
        "## Table 5.2: Real NVP",
        table(
            ("data set", *OTHERS, "Real NVP, thesis", "here", "budget"),
            [_real_nvp_row(preset, _best(runs, preset)) for preset in TABLE_5_2.values()],
        ),
        "bits/dim of the test split, for ImageNet and LSUN of the validation split; of the training split in "
        f"parentheses. {BLANK} where the thesis gives no number, or no run here has one.",
        "## Every run found",
        table(
            ("run", "data set", "model", "test", "best validation", "budget"),
            [_run_row(run) for run in runs],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _nice_row(preset: Preset, run: RunDir | None) -> tuple[str, ...]:
    model, published = preset.config.model, preset.published
    layers = (
        BLANK if isinstance(model.flow, RealNVPConfig) else f"{model.flow.hidden_layers} of {model.flow.hidden_units}"
    )
    return (
        preset.config.data.name,
        "ZCA" if model.whitening else "none",
        layers,
        "Gaussian" if model.prior == "normal" else model.prior,
        BLANK if published is None or published.log_prob is None else f"{published.log_prob:.2f}",
        _thesis(preset),
        *_here(run),
    )


def _real_nvp_row(preset: Preset, run: RunDir | None) -> tuple[str, ...]:
    name = preset.config.data.name
    others = OTHERS_BITS.get(name, ("",) * len(OTHERS))
    return (name, *(bits or BLANK for bits in others), _thesis(preset), *_here(run))


def _thesis(preset: Preset) -> str:
    published = preset.published
    return BLANK if published is None else _bits(published.test, published.train)


def _run_row(run: RunDir) -> tuple[str, ...]:
    config, test = run.config, run.scores.get("test", {})
    best = max(run.read_evaluations(), key=lambda row: row["valid_log_prob"], default=None)
    bits = best and best["valid_bits_per_dim"]
    valid = f"{bits:.3f}" if bits else f"{best['valid_log_prob']:.3f} nats" if best else BLANK
    return (str(run.path), config.data.name, config.model.flow.kind, _test(test), valid, _budget(run))


def _test(figures: dict) -> str:
    if not figures:
        return BLANK
    value, unit = (
        (figures["bits_per_dim"], "") if figures["bits_per_dim"] is not None else (figures["log_prob"], "nats")
    )
    return f"{value:.3f} ± {figures['standard_error']:.3f} {unit}".rstrip()


def _best(runs: Sequence[RunDir], preset: Preset) -> RunDir | None:
    """The run with the best test score on the preset's data set with its kind of flow; None where there is none."""
    wanted = preset.config
    fits = [
        run
        for run in runs
        if run.config.data.name == wanted.data.name
        and run.config.model.flow.kind == wanted.model.flow.kind
        and "test" in run.scores
    ]
    return min(fits, key=lambda run: run.scores["test"]["bits_per_dim"], default=None)


def _here(run: RunDir | None) -> tuple[str, str]:
    """(bits/dim, budget) of a run, or blanks."""
    if run is None:
        return BLANK, BLANK
    train = run.scores.get("train")
    return _bits(run.scores["test"]["bits_per_dim"], train["bits_per_dim"] if train else None), _budget(run)


def _bits(test: float, train: float | None = None) -> str:
    return f"{test:.2f}" if train is None else f"{test:.2f} ({train:.2f})"


def _budget(run: RunDir) -> str:
    rows = run.read_metrics()
    if not rows:
        return BLANK
    steps, minutes = rows[-1]["step"], rows[-1]["minutes"]
    parameters = run.metadata.get("parameters")
    size = f", {parameters / 1e6:.2g} M weights" if parameters else ""
    return f"{steps:,.0f} steps of {run.config.train.batch_size}, {minutes:.0f} min{size}"
