"""The package is a list of rooms, in WORKSPACE.md's order: an import points to a room before its own, or into it."""

import ast
import functools
import graphlib
import re
import subprocess
import sys
from pathlib import Path

from commands import ROOT

PACKAGE = ROOT / "nvp_tf"
ROOMS = re.findall(r"^\| `nvp_tf/(\w+)(?:\.py|/)` \|", (ROOT / "WORKSPACE.md").read_text(), re.MULTILINE)
FILES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
NAMES = "__init__.py"  # the package's own: the public names, imported when they are first used
WITHOUT_TENSORFLOW = ("errors", "files", "markdown", "cli", "config", "commands")
PROBABILITY = ("models/tfp_views.py", "densities/")  # who may import TFP
LIGHT = (  # modules that load neither TensorFlow nor Keras, whatever they import
    *("nvp_tf", "nvp_tf.config.schema", "nvp_tf.config.presets.registry", "nvp_tf.cli"),
    *("nvp_tf.pictures.files", "nvp_tf.scoring.inputs", "nvp_tf.scoring.saved_model", "nvp_tf.scoring.table"),
    "nvp_tf.exporting.page.writing",
)


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
    """The file of nvp_tf that an import reads: of a module, or of what a name in it comes from."""
    parts = name.split(".")[1:]
    while parts:
        for file in ("/".join(parts) + ".py", "/".join(parts) + "/__init__.py"):
            if file in FILES:
                return file
        parts.pop()
    return NAMES


def room(file):
    return Path(file).parts[0].removesuffix(".py")


@functools.cache
def needs(file):
    """The files of nvp_tf that a file imports."""
    return {
        file_of(name)
        for name in imports(FILES[file])
        if name.split(".")[0] == "nvp_tf" and name != "nvp_tf.__version__"
    }


def test_every_room_is_on_the_map():
    found = {room(file) for file in FILES if file not in (NAMES, "__main__.py")}
    assert len(ROOMS) == len(set(ROOMS)) and found == set(ROOMS)


def test_imports_point_to_earlier_rooms():
    above = {file: {f for f in needs(file) if f == NAMES or ROOMS.index(room(f)) > ROOMS.index(room(file))}
             for file in FILES if file not in (NAMES, "__main__.py")}  # fmt: skip
    assert not {file: found for file, found in above.items() if found}


def test_no_circles():
    graphlib.TopologicalSorter({file: needs(file) - {file} for file in FILES if file != NAMES}).prepare()


def test_folders_have_a_docstring_and_nothing_else():
    for file, tree in FILES.items():
        if Path(file).name == NAMES and file != NAMES:
            assert ast.get_docstring(tree) and len(tree.body) == 1, file


def test_libraries():
    for file, tree in FILES.items():
        at_once = libraries(ast.Module([n for n in tree.body if not isinstance(n, ast.FunctionDef)], []))
        if file == NAMES or room(file) in WITHOUT_TENSORFLOW:
            assert not at_once & {"tensorflow", "keras", "numpy"}, file  # `--help` is quick
        assert "tensorflow_probability" not in libraries(tree) or file.startswith(PROBABILITY), file


def test_tensorflow_is_not_loaded():
    script = f"import sys, {', '.join(LIGHT)}; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
