"""Exact densities over images, on the command line: `nvp_tf COMMAND --flag=value ...`, or `python -m nvp_tf`."""

import ast
import importlib
import pkgutil
import sys
from pathlib import Path

from nvp_tf import cli, commands

NAMES = [module.name for module in pkgutil.iter_modules(commands.__path__)]


def main(name: str | None = None) -> None:
    """Runs the command of that name, or the one that the first word names, on the rest of the command line."""
    arguments = sys.argv[1:]
    if name is None:
        name, *arguments = arguments or ["--help"]
    if name.lstrip("-") in ("help", "helpfull", "helpshort"):
        print(_help())
        return
    if name not in NAMES:
        cli.fail(f"command is {name!r}, expected one of {', '.join(NAMES)}")
    sys.argv = [f"nvp_tf {name}", *arguments]
    cli.run(importlib.import_module(f"nvp_tf.commands.{name}"))


def _help() -> str:
    """Every command with the first line of its docstring, read and not imported."""
    files = {name: Path(commands.__path__[0], f"{name}.py") for name in NAMES}
    first = {n: ast.get_docstring(ast.parse(f.read_text(encoding="utf-8"))).splitlines()[0] for n, f in files.items()}
    width = max(map(len, NAMES))
    lines = [f"  {name:{width}}  {summary}" for name, summary in first.items()]
    return "\n".join([__doc__, "", *lines, "", "nvp_tf COMMAND --help has a command's flags."])


if __name__ == "__main__":
    main()
