"""The figures by name, each with the figure of the thesis that it stands for. Listing them loads no TensorFlow."""

import ast
import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nvp_tf.errors import UserError


@dataclass(frozen=True)
class Figure:
    """One file of this folder, with a function `draw`.

    module: the file's name, without .py.
    thesis: the figure of the thesis that it stands for; empty for none.
    """

    module: str
    thesis: str = ""

    @property
    def draw(self) -> Callable:
        """(source, **options) -> a picture or an Animation; raises Unfit for a run that cannot give it."""
        return importlib.import_module(f"nvp_tf.figures.{self.module}").draw

    @property
    def description(self) -> str:
        """The drawing function's docstring, without its indentation."""
        return ast.get_docstring(self._definition)

    @property
    def summary(self) -> str:
        """The first line of the description, without the number of the thesis' figure."""
        return re.sub(r" \((thesis )?figures? [^)]*\)", "", self.description.splitlines()[0])

    @property
    def explanation(self) -> str:
        """The rest of the description, without the options."""
        return self.description.partition("\n")[2].partition("\nArgs:")[0].strip("\n")

    @property
    def options(self) -> list[str]:
        """What `draw` takes after the source."""
        arguments = self._definition.args
        return [a.arg for a in arguments.args[1:] + arguments.kwonlyargs]

    @property
    def needs_run(self) -> bool:
        """Whether `draw` reads its source."""
        return not self._definition.args.defaults

    @functools.cached_property
    def _definition(self) -> ast.FunctionDef:
        # Read, not imported: a drawing function's file imports TensorFlow, and a list of names need not wait for it.
        tree = ast.parse(Path(__file__).with_name(f"{self.module}.py").read_text(encoding="utf-8"))
        return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "draw")


FIGURES = {
    "mixture": Figure("mixture", "4.1"),
    "autoregressive": Figure("autoregressive", "4.2"),
    "masking": Figure("masking", "4.3"),
    "generator": Figure("generator", "4.4"),
    "emission": Figure("emission", "4.5"),
    "helmholtz": Figure("helmholtz", "4.6"),
    "reparametrization": Figure("reparametrization", "4.7"),
    "moons": Figure("moons", "5.1"),
    "samples": Figure("samples", "5.5, 5.12"),
    "sphere": Figure("sphere", "5.6"),
    "masks": Figure("masks", "5.8"),
    "squeeze": Figure("squeeze", "5.9"),
    "enlarged": Figure("enlarged", "5.13"),
    "manifold": Figure("manifold", "5.14"),
    "compression": Figure("compression", "5.15, 5.16"),
    "concatenation": Figure("concatenation"),
    "interpolation": Figure("interpolation"),
    "temperature": Figure("temperature"),
    "latents": Figure("latents"),
    "spectrum": Figure("spectrum"),
    "scores": Figure("scores"),
    "curves": Figure("curves"),
    # Last, for it takes minutes and `all` keeps this order.
    "inpainting": Figure("inpainting", "5.7"),
}


def get(name: str) -> Figure:
    """The figure of that name. Raises UserError, with all names, for another."""
    if name not in FIGURES:
        raise UserError(f"figure is {name!r}, expected one of {', '.join(FIGURES)}, all")
    return FIGURES[name]


def check_options(name: str, options):
    """Raises UserError for an option that the figure does not take."""
    figure = get(name)
    for option in options:
        if option not in figure.options:
            taken = ", ".join(f"--{o}" for o in figure.options) or "none of its own"
            raise UserError(f"figure {name} takes no --{option}, expected {taken}")


def draw(name: str, source, options: dict):
    """Draws one figure.

    Args:
      source: a `Source`.
      options: those that were given, by name.

    Raises:
      UserError: an unknown figure, or an option that it does not take.
      Unfit: a run that cannot give it.
    """
    check_options(name, options)
    return get(name).draw(source, **options)
