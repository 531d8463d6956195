"""The figures by name, each with the figure of the thesis that it stands for. Listing them loads no TensorFlow."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nvp_tf.config.registry import load, tree
from nvp_tf.errors import UserError

if TYPE_CHECKING:
    from nvp_tf.pictures.layout import Drawing
    from nvp_tf.runs.source import Source

_PACKAGE = "nvp_tf.figures"


@dataclass(frozen=True)
class Figure:
    """One file of this folder, with a function `draw`.

    module: the file's name, without .py.
    thesis: the figure of the thesis that it stands for; empty for none.
    """

    module: str
    thesis: str = ""

    @property
    def draw(self) -> Callable[..., Drawing]:
        """(source, **options) -> a picture or an Animation; raises Unfit for a run that cannot give it."""
        return load(_PACKAGE, self.module).draw

    @property
    def description(self) -> str:
        """The drawing function's docstring, without its indentation."""
        return ast.get_docstring(self._definition) or ""

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
        body = tree(_PACKAGE, self.module).body
        return next(node for node in body if isinstance(node, ast.FunctionDef) and node.name == "draw")


FIGURES = {
    figure.module: figure
    for figure in (
        Figure("flatness", "3.1"),
        Figure("homogeneity", "3.2"),
        Figure("disjoint_boxes", "3.3"),
        Figure("nearer_axis", "3.4"),
        Figure("reparametrized", "3.5"),
        Figure("radial", "3.6"),
        Figure("mixture", "4.1"),
        Figure("autoregressive", "4.2"),
        Figure("masking", "4.3"),
        Figure("generator", "4.4"),
        Figure("emission", "4.5"),
        Figure("helmholtz", "4.6"),
        Figure("reparametrization", "4.7"),
        Figure("moons", "5.1"),
        Figure("samples", "5.5, 5.12"),
        Figure("sphere", "5.6"),
        Figure("masks", "5.8"),
        Figure("squeeze", "5.9"),
        Figure("enlarged", "5.13"),
        Figure("manifold", "5.14"),
        Figure("compression", "5.15, 5.16"),
        Figure("concatenation"),
        Figure("interpolation"),
        Figure("temperature"),
        Figure("latents"),
        Figure("spectrum"),
        Figure("scores"),
        Figure("explain"),
        Figure("curves"),
        # Last, for it takes minutes and `all` keeps this order.
        Figure("inpainting", "5.7"),
    )
}


def get(name: str) -> Figure:
    """The figure of that name. Raises UserError, with all names, for another."""
    if name not in FIGURES:
        raise UserError(f"figure is {name!r}, expected one of {', '.join(FIGURES)}, all")
    return FIGURES[name]


def check_options(name: str, options: Iterable[str]) -> None:
    """Raises UserError for an option that the figure does not take."""
    figure = get(name)
    for option in options:
        if option not in figure.options:
            taken = ", ".join(f"--{o}" for o in figure.options) or "none of its own"
            raise UserError(f"figure {name} takes no --{option}, expected {taken}")


def draw(name: str, source: Source | None, options: dict[str, Any]) -> Drawing:
    """Draws one figure.

    Args:
      source: the run; None for a figure that needs none.
      options: those that were given, by name.

    Raises:
      UserError: an unknown figure, or an option that it does not take.
      Unfit: a run that cannot give it.
    """
    check_options(name, options)
    return get(name).draw(source, **options)
