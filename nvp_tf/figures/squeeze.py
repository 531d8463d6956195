"""Where pixels go when an image is squeezed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nvp_tf.layers.squeeze import ORDERS, Squeeze
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#9ecae1", "#fdae6b", "#a1d99b", "#d4b9da")  # of the four channels
USES = {"plain": "around the channel couplings", "ordered": "the first two go on, the last two are factored out"}


def draw(source: Source | None = None) -> Image.Image:
    """A squeeze of [4, 4, 1] to [2, 2, 4] in its two orders: a pixel's number, and by colour its channel (figure 5.9).

    Args:
      source: not read; a squeeze is the same for every run.
    """
    del source
    numbers = np.arange(1, 17, dtype=np.float32).reshape(1, 4, 4, 1)
    figure, places = new_figure((9, 5), rows=2, columns=5, width_ratios=[2, 1, 1, 1, 1])
    for order, (image, *channels) in zip(ORDERS, places, strict=True):
        squeezed = squeeze_of(numbers, order)
        channel_of = {int(n): c for c in range(4) for n in squeezed[..., c].ravel()}
        cells(image, numbers[0, ..., 0], channel_of)
        image.set_title(f"{order}: {USES[order]}", fontsize=10, loc="left")
        for c, axes in enumerate(channels):
            cells(axes, squeezed[..., c], channel_of)
            axes.set_xlabel(f"channel {c}", fontsize=9)
    return to_picture(figure)


def squeeze_of(image: np.ndarray, order: str) -> np.ndarray:
    """[1, H, W, C] -> [H/2, W/2, 4C], by the program's own layer."""
    layer = Squeeze(order)
    layer.build((None, *image.shape[1:]))
    return layer.forward(image)[0].numpy()[0]


def cells(axes: Axes, numbers: np.ndarray, channel_of: dict[int, int]) -> None:
    """Numbers [H, W] in squares of their channels' colours."""
    height, width = numbers.shape
    for (i, j), number in np.ndenumerate(numbers):
        colour = COLOURS[channel_of[int(number)]]
        axes.fill([j, j + 1, j + 1, j], [i, i, i + 1, i + 1], facecolor=colour, edgecolor="black", linewidth=0.8)
        axes.text(j + 0.5, i + 0.5, str(int(number)), ha="center", va="center", fontsize=11)
    axes.set(xlim=(-0.05, width + 0.05), ylim=(height + 0.05, -0.05), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
