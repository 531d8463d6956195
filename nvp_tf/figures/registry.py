"""The figures by name, each with the figure of the thesis that it stands for."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from nvp_tf.errors import UserError
from nvp_tf.figures import samples


@dataclass(frozen=True)
class Figure:
    """draw: (source, **options) -> a picture or an Animation; raises Unfit for a run that cannot give it.

    thesis: the figure of the thesis that it stands for.
    """

    draw: Callable
    thesis: str

    @property
    def summary(self) -> str:
        """The first line of the drawing function's docstring."""
        return self.draw.__doc__.strip().splitlines()[0]

    @property
    def options(self) -> list[str]:
        return list(inspect.signature(self.draw).parameters)[1:]


FIGURES = {
    "samples": Figure(samples.draw, "5.5, 5.12"),
}


def get(name: str) -> Figure:
    """The figure of that name. Raises UserError, with all names, for another."""
    if name not in FIGURES:
        raise UserError(f"figure is {name!r}, expected one of {', '.join(FIGURES)}, all")
    return FIGURES[name]


def draw(name: str, source, options: dict):
    """Draws one figure.

    Args:
      source: a `Source`.
      options: those that were given, by name.

    Raises:
      UserError: an unknown figure, or an option that it does not take.
      Unfit: a run that cannot give it.
    """
    figure = get(name)
    for option in options:
        if option not in figure.options:
            raise UserError(f"figure {name} takes no --{option}, expected {', '.join(figure.options) or 'none'}")
    return figure.draw(source, **options)
