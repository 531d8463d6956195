"""Exact densities over images, on the command line: `nvp_tf COMMAND --flag=value ...`, or `python -m nvp_tf`."""

import sys

from nvp_tf import cli
from nvp_tf.config import registry

_PACKAGE = "nvp_tf.commands"
NAMES = registry.names(_PACKAGE)


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
    cli.run(registry.load(_PACKAGE, name))


def _help() -> str:
    """Every command with the first line of its docstring."""
    width = max(map(len, NAMES))
    lines = [f"  {name:{width}}  {registry.summary(_PACKAGE, name)}" for name in NAMES]
    return "\n".join([__doc__, "", *lines, "", "nvp_tf COMMAND --help has a command's flags."])


if __name__ == "__main__":
    main()
