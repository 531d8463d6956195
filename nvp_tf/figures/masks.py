"""The masks of the couplings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nvp_tf.layers import masks
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(source: Source | None = None) -> Image.Image:
    """The masks of the couplings on a small image: black is kept, white is changed (figure 5.8).

    Left the two checkerboards of [4, 4, 1]; right the two channel masks of [2, 2, 4], what a squeeze makes of it.

    Args:
      source: not read; the masks are the same for every run.
    """
    del source
    figure, (places,) = new_figure((11, 3.1), columns=4)
    names = ("checkerboard", "checkerboard, swapped", "channel", "channel, swapped")
    made = [masks.checkerboard(4, 4, 1, swap) for swap in (False, True)]
    made += [masks.channel(2, 2, 4, swap) for swap in (False, True)]
    for axes, name, mask in zip(places, names, made, strict=True):
        draw_mask(axes, mask)
        axes.set_title(name, fontsize=11)
    figure.supxlabel("● kept, the coupling's condition     ○ changed", fontsize=10)
    return to_picture(figure)


def draw_mask(axes: Axes, mask: np.ndarray) -> None:
    """A mask [H, W, C] as dots; several channels stand in a square, each with its number."""
    height, width, channels = mask.shape
    across = int(np.ceil(channels**0.5))
    for c in range(channels):
        top, left = (c // across) * (height + 1), (c % across) * (width + 1)
        row, column = np.indices((height, width))
        faces = np.where(mask[..., c].ravel(), "black", "white")
        axes.scatter(column.ravel() + left, row.ravel() + top, s=260, c=list(faces), edgecolors="black")
        if channels > 1:
            axes.text(left + (width - 1) / 2, top - 0.55, f"channel {c}", ha="center", va="bottom", fontsize=9)
    rows, columns = np.ceil(channels / across) * (height + 1) - 1, across * (width + 1) - 1
    axes.set(xlim=(-0.8, columns - 0.2), ylim=(rows - 0.2, -1.2 if channels > 1 else -0.8), aspect="equal")
    axes.axis("off")
