"""The workloads by name. A new file in workloads/ is a new one; it has

run(..., say)      measures, and returns what is for JSON; its arguments are the options that it takes
section(result)    the name of its part of a page
markdown(result)   that part
"""

import inspect
from collections.abc import Collection
from types import ModuleType

from nvp_tf.config import registry
from nvp_tf.errors import UserError

_PACKAGE = "benchmarks.workloads"


def names() -> list[str]:
    return registry.names(_PACKAGE)


def summary(name: str) -> str:
    """What it measures, in a line."""
    return registry.summary(_PACKAGE, name)


def takes(name: str, option: str) -> bool:
    return option in inspect.signature(registry.load(_PACKAGE, name).run).parameters


def load(name: str, options: Collection[str]) -> ModuleType:
    """The workload's module.

    Raises:
      UserError: an unknown name, an option that it does not take, or lacks.
    """
    if name not in names():
        raise UserError(f"workload is {name!r}, expected one of {', '.join(names())}")
    workload = registry.load(_PACKAGE, name)
    parameters = inspect.signature(workload.run).parameters
    for option in options:
        if option not in parameters:
            taken = ", ".join(f"--{p}" for p in parameters if p != "say")
            raise UserError(f"workload {name} takes no --{option}, expected {taken}")
    for parameter in parameters.values():
        if parameter.default is parameter.empty and parameter.name not in options:
            raise UserError(f"workload {name} needs --{parameter.name}")
    return workload
