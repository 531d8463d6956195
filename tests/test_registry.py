"""Commands, figures and workloads: each a file of a folder, listed without importing it."""

import ast
import subprocess
import sys

import pytest
from commands import ROOT

from nvp_tf.config import registry
from nvp_tf.figures.registry import FIGURES


@pytest.mark.parametrize("package", ["nvp_tf.commands", "nvp_tf.figures", "benchmarks.workloads"])
def test_a_file_is_a_name(package):
    folder = ROOT / package.replace(".", "/")
    names = registry.names(package)
    assert names == sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__")
    for name in names:
        line = (folder / f"{name}.py").read_text(encoding="utf-8").splitlines()[0]
        assert line.removeprefix('"""').removesuffix('"""') == registry.summary(package, name) != ""


def test_every_drawing_file_is_a_figure():
    def draws(name):
        body = registry.tree("nvp_tf.figures", name).body
        return any(isinstance(node, ast.FunctionDef) and node.name == "draw" for node in body)

    assert {name for name in registry.names("nvp_tf.figures") if name != "registry" and draws(name)} == set(FIGURES)


def test_listing_imports_nothing():
    script = """if True:
        import sys
        from nvp_tf.config import registry
        for package in ("nvp_tf.commands", "nvp_tf.figures", "benchmarks.workloads"):
            found = [registry.summary(package, name) for name in registry.names(package)]
            print(len(found), [name for name in sys.modules if name.startswith(package + ".")])
        print("numpy" in sys.modules, registry.load("nvp_tf.figures", "hidden_pixels").hidden_pixels.__name__)
    """
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    *listed, loaded = done.stdout.splitlines()
    assert [line.split(" ", 1)[1] for line in listed] == ["[]"] * 3, done.stderr
    assert all(int(line.split()[0]) > 9 for line in listed) and loaded == "False hidden_pixels"
