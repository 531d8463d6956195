"""Named things that are files of a folder: commands, figures, benchmarks. Listing them imports none of them.

package: the folder by its dotted name, such as "nvp_tf.commands". name: a file's, without .py.
"""

import ast
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType


def names(package: str) -> list[str]:
    """The names of a package's files, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))


def summary(package: str, name: str) -> str:
    """The first line of a file's docstring."""
    return (ast.get_docstring(tree(package, name)) or "").partition("\n")[0]


def tree(package: str, name: str) -> ast.Module:
    """A file as it is written: read, not imported, for what it imports may take seconds."""
    [folder] = importlib.import_module(package).__path__
    return ast.parse(Path(folder, f"{name}.py").read_text(encoding="utf-8"))


def load(package: str, name: str) -> ModuleType:
    """A file as a module."""
    return importlib.import_module(f"{package}.{name}")
