"""The masks that make a network autoregressive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from nvp_tf.densities.autoregressive import MADE
from nvp_tf.densities.masked import positions
from nvp_tf.densities.pixelcnn import PixelCNN
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL import Image

    from nvp_tf.runs.source import Source

_DIMENSIONS, _UNITS = 4, 6
_SIDE, _PIXEL = 9, (4, 4)


def draw(source: Source | None = None) -> Image.Image:
    """Masking patterns: no path connects x_k to p(x_k given x_<k) (figure 4.3).

    Left a MADE of four dimensions, bottom up: the number in a hidden unit is its degree, the most inputs that it sees,
    and a line is a weight that the mask leaves. Right what a pixel of a gated PixelCNN sees, by the gradient of its
    output: darker is more, white is nothing, and the pixel itself and what comes after it are white.

    Args:
      source: not read; the masks are the same for every run.
    """
    del source
    figure, ((left, right),) = new_figure((11, 4.6), columns=2, width_ratios=[1.5, 1])
    draw_made(left, MADE(positions(_DIMENSIONS, "natural"), 2, _UNITS, np.zeros(1)))
    draw_receptive_field(right)
    return to_picture(figure)


def draw_made(axes: Axes, made: MADE) -> None:
    """The units of each layer in a row, and the weights that its mask leaves between it and the next."""
    masks = made.masks
    names = [[f"$x_{k + 1}$" for k in range(_DIMENSIONS)]]
    names += [[str(degree) for degree in degrees] for degrees in made.degrees]
    names += [["$p(x_1)$"] + [f"$p(x_{k + 1}|x_{{<{k + 1}}})$" for k in range(1, _DIMENSIONS)]]
    places = [np.linspace(0, 1, 2 * len(row) + 1)[1::2] for row in names]
    for level, mask in enumerate(masks):
        for i, j in np.argwhere(mask):
            axes.plot(
                [places[level][i], places[level + 1][j]], [level, level + 1], color="0.55", linewidth=0.9, zorder=1
            )
    for level, (row, at) in enumerate(zip(names, places, strict=True)):
        ends = level in (0, len(names) - 1)
        for name, x in zip(row, at, strict=True):
            box = {"boxstyle": "round,pad=0.35" if ends else "circle,pad=0.3", "facecolor": "0.88" if ends else "white"}
            axes.text(x, level, name, ha="center", va="center", fontsize=11, bbox=box, zorder=2)
    axes.set(xlim=(0, 1), ylim=(-0.4, len(masks) + 0.4))
    axes.set_title("MADE: inputs below, conditionals above", fontsize=11)
    axes.axis("off")


def draw_receptive_field(axes: Axes) -> None:
    """How much the output of the middle pixel moves with each other one, by rank."""
    keras.utils.set_random_seed(0)
    network = PixelCNN((_SIDE, _SIDE, 1), 16, 3, 3, 5, 16, np.zeros(8), dtype="float64")
    x = tf.random.stateless_normal([64, _SIDE, _SIDE, 1], [1, 2], dtype=tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = tf.reduce_sum(tf.sin(network(x)[:, _PIXEL[0], _PIXEL[1]]))
    moved = np.abs(tape.gradient(outputs, x)).sum(axis=(0, 3))
    # By rank: the last of them move it a thousand times less than the first.
    rank = np.searchsorted(np.sort(moved[moved > 0]), moved, side="right") / (moved > 0).sum()
    axes.imshow(rank, cmap="Blues", vmin=0, vmax=1.3)
    axes.scatter(*_PIXEL[::-1], marker="x", color="tab:red", s=80)
    axes.set(xticks=np.arange(_SIDE + 1) - 0.5, yticks=np.arange(_SIDE + 1) - 0.5, xticklabels=[], yticklabels=[])
    axes.grid(color="0.7", linewidth=0.6)
    axes.tick_params(length=0)
    axes.set_title("PixelCNN: what the pixel × sees", fontsize=11)
