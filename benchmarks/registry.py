"""The workloads by name. A new file in workloads/ is a new one; it has

run(..., say)      measures, and returns what is for JSON; its arguments are the options that it takes
section(result)    the name of its part of a page
markdown(result)   that part
"""

import ast
import importlib
import inspect
from pathlib import Path

from nvp_tf.errors import UserError

_FOLDER = Path(__file__).parent / "workloads"


def names() -> list[str]:
    return sorted(file.stem for file in _FOLDER.glob("*.py") if file.stem != "__init__")


def summary(name) -> str:
    """The first line of the file's docstring; read, not imported."""
    return ast.get_docstring(ast.parse((_FOLDER / f"{name}.py").read_text(encoding="utf-8"))).splitlines()[0]


def takes(name, option) -> bool:
    return option in inspect.signature(_module(name).run).parameters


def load(name, options):
    """The workload's module.

    Raises:
      UserError: an unknown name, an option that it does not take, or lacks.
    """
    if name not in names():
        raise UserError(f"workload is {name!r}, expected one of {', '.join(names())}")
    workload = _module(name)
    parameters = inspect.signature(workload.run).parameters
    for option in options:
        if option not in parameters:
            taken = ", ".join(f"--{p}" for p in parameters if p != "say")
            raise UserError(f"workload {name} takes no --{option}, expected {taken}")
    for parameter in parameters.values():
        if parameter.default is parameter.empty and parameter.name not in options:
            raise UserError(f"workload {name} needs --{parameter.name}")
    return workload


def _module(name):
    return importlib.import_module(f"benchmarks.workloads.{name}")
