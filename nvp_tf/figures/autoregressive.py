"""The graphical model of an autoregressive density."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nvp_tf.densities.autoregressive import MADE
from nvp_tf.densities.masked import paths, positions
from nvp_tf.figures.graphs import Arrow, Node, draw_graph
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

if TYPE_CHECKING:
    from PIL import Image

    from nvp_tf.runs.source import Source

_DIMENSIONS = 4


def draw(source: Source | None = None) -> Image.Image:
    """Each x_k hangs on all that are before it: p(x) = prod_k p(x_k | x_<k), fully connected (figure 4.2).

    An arrow is a path through the masks of this program's own MADE from an input to the outputs of another.

    Args:
      source: not read; the graph is the same for every run.
    """
    del source
    made = MADE(positions(_DIMENSIONS, "natural"), layers=2, units=6, initial=np.zeros(1))
    seen = paths(made.masks)
    nodes = {str(k): Node(f"$x_{k + 1}$", (2.0 * k, 0.0), "observed") for k in range(_DIMENSIONS)}
    arrows = [
        Arrow(str(j), str(k), bend=0.0 if k == j + 1 else 0.42 * (1 if (k + j) % 2 else -1))
        for j in range(_DIMENSIONS)
        for k in range(_DIMENSIONS)
        if seen[j, k]
    ]
    figure, ((axes,),) = new_figure((8, 2.8))
    draw_graph(axes, nodes, arrows)
    axes.set(ylim=(-1.2, 1.6))
    return to_picture(figure)
