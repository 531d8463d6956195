"""One row in a process of its own, so that its memory is its own and its end is not the table's. Run as a module.

python -m nvp_tf.densities.worker SPEC.json

SPEC.json is what `comparison.py` writes: the data, the candidate, the seed and the budget. Writes, last of all,
the row to the file that it names.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from nvp_tf import cli
from nvp_tf.errors import UserError, reason
from nvp_tf.files import write_text, written_whole

FAILED = "failed"


def main(file: str) -> None:
    cli.quiet_tensorflow()
    spec = json.loads(Path(file).read_text(encoding="utf-8"))
    try:
        row = make_row(spec)
    except UserError as error:
        row = {"status": FAILED, "why": str(error)}
    except Exception as error:  # a family that fails is a row that says so
        row = {"status": FAILED, "why": f"{type(error).__name__}: {reason(error)[:300]}"}
    write_text(spec["row"], json.dumps(row, indent=2) + "\n")


def make_row(spec: dict) -> dict:
    """Trains and measures a candidate; the trained density, its samples and what a plot needs go to spec["folder"].

    Args:
      spec: data (an encoded DataConfig), family, settings (encoded), seed, seconds, steps, num, folder, export.

    Raises:
      UserError: a candidate that is not for the data, or that did not come to a first evaluation.
    """
    import numpy as np

    from nvp_tf.config.codec import decode
    from nvp_tf.config.schema import DataConfig
    from nvp_tf.data.registry import load_dataset
    from nvp_tf.densities import registry, saved
    from nvp_tf.densities.budget import Budget
    from nvp_tf.densities.contract import Domain
    from nvp_tf.densities.grids import on_a_grid
    from nvp_tf.densities.measure import kept_samples, measure

    dataset = load_dataset(decode(DataConfig, spec["data"], "data"))
    family = registry.get(spec["family"])
    settings = decode(family.Settings, spec["settings"], "settings")
    began = time.monotonic()
    density = family(Domain.of(dataset), settings, spec["seed"])
    fit = density.fit(dataset.train, dataset.valid, Budget(spec["seconds"], spec["steps"]), spec["seed"])
    if fit.best is None:
        raise UserError(f"no weights were worth keeping in {fit.steps} steps and {fit.seconds:.0f} s: {fit.ended}")
    trained = time.monotonic()
    row = {"status": "done"} | measure(density, dataset, spec["num"], spec["seed"])
    row |= {
        "minutes": fit.seconds / 60,
        "steps": fit.steps,
        "ended": fit.ended,
        "train_per_second": fit.images_per_second,
        "curve": fit.rows,
        "notes": fit.notes,
        "minutes_of_measuring": (time.monotonic() - trained) / 60,
        "minutes_of_building": (trained - began - fit.seconds) / 60,
    }
    folder = Path(spec["folder"])
    saved.save(density, folder, {"fit": {"seconds": fit.seconds, "steps": fit.steps, "best": fit.best}})
    arrays: dict[str, Any] = {"samples": kept_samples(density, spec["seed"])} if density.can_sample else {}
    arrays |= on_a_grid(density, dataset)
    with written_whole(folder / "drawn.npz") as partial:
        np.savez(partial, **arrays)
    return row


if __name__ == "__main__":
    main(*sys.argv[1:])
