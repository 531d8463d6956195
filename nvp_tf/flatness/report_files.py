"""What a report leaves in its folder, whole or not at all; and the equivalent model as a file."""

from pathlib import Path

import keras

from nvp_tf.errors import UserError
from nvp_tf.files import write_text, written_whole
from nvp_tf.flatness import report_page, report_plots
from nvp_tf.flatness.kept import Json
from nvp_tf.flatness.report import FLATTEST, MODELS, SHARPER
from nvp_tf.flatness.report_data import Source
from nvp_tf.flatness.rescaling import Rescaling
from nvp_tf.models.flow import Flow
from nvp_tf.runs.run_dir import RunDir, save_weights


def write_report(results: dict[str, Json], name: str, out: Path) -> list[str]:
    """Writes report.md, index.html and the pictures that the results suffice for; their names."""
    needs = {
        "ratios.png": f"{FLATTEST}/loss",
        "slices.png": f"slice/filters/{MODELS[-1] if 'no twins' not in results else MODELS[0]}",
        "spectrum.png": "smallest",
    }
    draw = {"ratios.png": report_plots.ratios, "slices.png": report_plots.slices, "spectrum.png": report_plots.spectrum}
    pictures = [file for file, need in needs.items() if need in results]
    for file in pictures:
        with written_whole(out / file) as partial:
            draw[file](results).save(partial)
    if "about" not in results:
        return []
    write_text(out / "report.md", report_page.markdown(results, name))
    write_text(out / "index.html", report_page.page(results, name, pictures))
    return ["index.html", "report.md", *pictures]


def check_write(file: str, source: Source) -> Path:
    """Where the sharper model goes. Raises UserError for a name that does not fit the model."""
    flow = isinstance(source.subject.model, Flow)
    suffix = ".weights.h5" if flow else ".keras"
    if not file.endswith(suffix):
        raise UserError(f"write is {file}, expected a name that ends in {suffix}")
    return Path(file)


def write_sharper(results: dict[str, Json], source: Source, file: Path) -> None:
    """The model of the source, in its own dtype, with the weights of the sharper twin: factors of two, no rounding."""
    if "no twins" in results:
        raise UserError(f"there is no sharper model to write: {results['no twins']}")
    model = RunDir(source.path).load_flow() if source.path.is_dir() else keras.models.load_model(source.path)
    model.set_weights(Rescaling(model).weights(results[f"{SHARPER} twin"]))
    if source.path.is_dir():
        save_weights(model, file)
        return
    with written_whole(file) as partial:
        model.save(partial)
