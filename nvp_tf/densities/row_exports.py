"""Exports of a comparison's rows, each a folder that `nvp_tf score` and a server take."""

from nvp_tf.data.split import DataSet
from nvp_tf.densities import saved
from nvp_tf.densities.comparison import Comparison
from nvp_tf.densities.contract import Density, examples
from nvp_tf.densities.exporting import export
from nvp_tf.densities.table import Line
from nvp_tf.errors import UserError
from nvp_tf.evaluation.reference import Reference

_CHECKED = 100  # test examples that an export is held against its density on
_REFERENCE = 1000  # validation examples, and as many training ones, that a score is held against


def export_rows(comparison: Comparison, found: list[Line], dataset: DataSet) -> tuple[dict[str, str], dict[str, str]]:
    """Exports each line's first seed into exports/NAME, where there is none yet.

    Returns:
      ({name: the export's folder}, {name: why there is none}).
    """
    exported, refused = {}, {}
    test = examples(dataset.test, _CHECKED)
    for line in found:
        folder = comparison.folder / "exports" / line.name
        if line.done and not folder.is_dir():
            try:
                density = saved.load(comparison.model(line.done[0]))
                about = {"family": density.family, "dataset": dataset.name}
                export(density, folder, test, _reference(density, dataset), about)
            except UserError as error:
                refused[line.name] = str(error)
        if folder.is_dir() and line.name not in refused:
            exported[line.name] = str(folder)
    return exported, refused


def _reference(density: Density, dataset: DataSet) -> Reference:
    return Reference.of(dataset, lambda x: density.scores(x).value, most=_REFERENCE)
