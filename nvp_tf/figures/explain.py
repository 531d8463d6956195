"""Which pixels an image's bits are in, and whether they show what does not belong there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from nvp_tf.out_of_distribution.patches import BITS, EXCESS, SMOOTHED_EXCESS, Patched, measure
from nvp_tf.pictures.layout import GAP, new_figure, tile, to_picture
from nvp_tf.runs.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 6
_NO_PATCH, _PATCH = (BITS, EXCESS), (BITS, EXCESS, SMOOTHED_EXCESS)  # the maps that are shown


def draw(source: Source, *, num: int = 300) -> Image.Image:
    """Held-out images, the bits of their pixels and what these are more than usual, without and with a foreign patch.

    The bits of an image's pixels sum to its score; usual is their mean over validation images (docs/explain.md). The
    patch is a square of another data set, framed in red. Beneath, the pixel AUROC: the probability that a pixel of a
    patch has more bits (more excess) than one outside of it, over all images.

    Args:
      num: images with a patch that the AUROC is of.
    """
    source.need_images("explain")
    return picture(measure(source, num), source.levels)


def picture(found: Patched, levels: int) -> Image.Image:
    """The figure of a measurement."""
    shown = np.linspace(0, len(found.images) - 1, min(SHOWN, len(found.images))).round().astype(int)
    heads = ("held out", *_NO_PATCH, "with a patch", *_PATCH)
    figure, panels = new_figure((1.5 * len(heads), 1.5 * len(shown) + 1.9), len(shown), len(heads))
    scales = _scales(found)
    for row, i in zip(panels, shown, strict=True):
        places = iter(row)
        for images, maps, names in (
            (found.images, found.maps, _NO_PATCH),
            (found.patched, found.patched_maps, _PATCH),
        ):
            pixels = tile(images[i : i + 1], levels)[GAP:-GAP, GAP:-GAP]
            next(places).imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            for name in names:
                axes = next(places)
                axes.imshow(maps[name][i], interpolation="nearest", **scales[name])
                if maps is found.patched_maps:
                    _frame(axes, found.patch[i])
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
    for axes, head in zip(panels[0], heads, strict=True):
        axes.set_title(head, fontsize=9)
    for column, under, label in ((1, slice(0, 4), "bits of a pixel"), (2, slice(4, 7), "bits more than usual")):
        drawn, places = panels[0, column].images[0], panels[-1, under]
        figure.colorbar(drawn, ax=places, location="bottom", extend="both", label=label, aspect=30)
    figure.supxlabel(caption(found.aurocs()), fontsize=9)
    return to_picture(figure)


def caption(aurocs: dict[str, dict[str, float]]) -> str:
    """The AUROCs as lines of words."""
    return "\n".join(
        f"pixel AUROC, patches of {kind}: " + ", ".join(f"{name} {value:.3f}" for name, value in of.items())
        for kind, of in aurocs.items()
    )


def _scales(found: Patched) -> dict[str, dict[str, Any]]:
    """Colours and their range by map: the same for all images, of the patched ones all but the largest."""
    top, reach = (np.quantile(np.abs(found.patched_maps[name]), 0.99) for name in (BITS, EXCESS))
    excess = {"cmap": "PuOr_r", "vmin": -reach, "vmax": reach}
    return {BITS: {"cmap": "viridis", "vmin": found.maps[BITS].min(), "vmax": top}} | dict.fromkeys(_PATCH[1:], excess)


def _frame(axes: Axes, patch: np.ndarray) -> None:
    from matplotlib.patches import Rectangle

    (top, left), (bottom, right) = np.argwhere(patch)[[0, -1]]
    size = {"width": right - left + 1, "height": bottom - top + 1}
    axes.add_patch(Rectangle((left - 0.5, top - 0.5), **size, fill=False, color="tab:red", linewidth=1.5))
