"""An import points to a room of a lower rank, or to the same room where that is said here."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nvp_tf"
DOORS = {"__init__.py"}  # may import anything, inside functions

RANKS = {
    0: ["errors.py", "catalogue.py", "sections.py", "config.py", "presets/", "masks.py", "files.py", "cli.py"],
    1: [
        "priors.py",
        "networks.py",
        "recompute.py",
        "statistics.py",
        "objectives.py",
        "layers/base.py",
        "pictures.py",
        "npz_rows.py",
        "flop.py",
        "peak.py",
    ],
    2: ["layers/"],
    3: ["models/"],
    4: ["views.py", "run_dir.py", "checkpoints.py", "training_state.py", "data/"],
    5: [
        "training/",
        "evaluation.py",
        "export/",
        "scoring/",
        "initialization.py",
        "tables.py",
        "figures/",
        "out_of_distribution/",
        "benchmark/",
    ],
    6: ["door.py"],
}
SAME_RANK = {
    "presets/preset.py": {"config.py"},
    "presets/nice.py": {"config.py", "presets/preset.py"},
    "presets/real_nvp.py": {"config.py", "presets/preset.py"},
    "presets/small.py": {"config.py", "presets/preset.py"},
    "presets/__init__.py": {
        "errors.py",
        "presets/nice.py",
        "presets/preset.py",
        "presets/real_nvp.py",
        "presets/small.py",
    },
    "catalogue.py": {"errors.py"},
    "sections.py": {"errors.py"},
    "config.py": {"errors.py", "sections.py"},
    "cli.py": {"errors.py"},
    "statistics.py": {"recompute.py"},
    "peak.py": {"flop.py"},
    "networks.py": {"statistics.py"},
    "layers/chain.py": {"layers/squeeze.py"},
    "models/build.py": {"models/flow.py"},
    "run_dir.py": {"checkpoints.py"},
}

FILES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def rank(file):
    """The room that names the file, or else the one that names its folder; None for no room."""
    for names in (file, file.split("/")[0] + "/"):
        for number, rooms in RANKS.items():
            if names in rooms:
                return number
    return None


def imports(tree):
    """The full names of everything imported, anywhere in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide their room"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def libraries(tree):
    return {name.split(".")[0] for name in imports(tree)}


def file_of(name):
    """The file of nvp_tf that an import reads: of a module, of a package, or of what a name in it comes from."""
    parts = name.split(".")[1:]
    while parts:
        for file in ("/".join(parts) + ".py", "/".join(parts) + "/__init__.py"):
            if file in FILES:
                return file
        parts.pop()
    return "__init__.py"


def may_import(file, other):
    if rank(other) != rank(file):
        return rank(other) < rank(file)
    in_one_folder = rank(file) == 4 and "/" in file and file.split("/")[0] == other.split("/")[0]
    return rank(file) == 5 or in_one_folder or other in SAME_RANK.get(file, ())


INSIDE = [f for f in FILES if f not in DOORS]


@pytest.mark.parametrize("file", INSIDE)
def test_imports_point_down(file):
    assert rank(file) is not None, f"nvp_tf/{file} has no rank: name its room in RANKS"
    for name in imports(FILES[file]):
        if name.split(".")[0] == "nvp_tf":
            other = file_of(name)
            assert other not in DOORS, f"nvp_tf/{file} imports {name}, a door to the package"
            assert may_import(file, other), f"nvp_tf/{file} (rank {rank(file)}) imports {name} (rank {rank(other)})"


@pytest.mark.parametrize("file", FILES)
def test_imports_of_libraries(file):
    if file not in ("views.py", "benchmark/contenders/tfp.py"):  # the second is TFP's own Real NVP, timed beside ours
        assert "tensorflow_probability" not in libraries(FILES[file])
    if file in DOORS or rank(file) == 0:
        # At once; `cli.py` loads TensorFlow inside the function that quiets it.
        at_once = libraries(ast.Module([n for n in FILES[file].body if not isinstance(n, ast.FunctionDef)], []))
        assert not at_once & {"tensorflow", "keras"}
        assert "numpy" not in at_once or file == "masks.py"


@pytest.mark.parametrize(
    "file", ["training_state.py", "training/__init__.py", "training/loop.py", "evaluation.py", "export/__init__.py"]
)
def test_procedures_do_without_the_views(file):
    assert "views.py" not in {file_of(name) for name in imports(FILES[file]) if name.startswith("nvp_tf")}


@pytest.mark.parametrize("file", sorted(DOORS & FILES.keys()))
def test_doors_import_lazily(file):
    for node in [n for n in FILES[file].body if isinstance(n, ast.Import | ast.ImportFrom)]:
        for name in imports(node):
            if name.startswith("nvp_tf."):
                assert rank(file_of(name)) == 0, f"nvp_tf/{file} imports {name} at once"


WITHOUT_TENSORFLOW = [
    *("nvp_tf", "nvp_tf.config", "nvp_tf.presets", "nvp_tf.cli", "nvp_tf.pictures"),
    *("nvp_tf.scoring.inputs", "nvp_tf.scoring.saved_model", "nvp_tf.scoring.table"),  # so without the models, too
]


@pytest.mark.parametrize("module", WITHOUT_TENSORFLOW)
def test_tensorflow_is_not_loaded(module):
    script = f"import sys, {module}; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
