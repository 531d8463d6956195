"""How pictures are put together: images in a grid, grids on a titled page, and files written whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from nvp_tf.errors import UserError
from nvp_tf.files import written_whole

if TYPE_CHECKING:  # matplotlib is loaded where something is drawn on axes
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

GAP = 1  # White pixels between two images of a grid, before enlarging.


@dataclass(frozen=True)
class Animation:
    """A picture that moves: `still` is what a page shows of it.

    milliseconds: how long each frame is seen.
    """

    still: Image.Image
    frames: list[Image.Image]
    milliseconds: int = 80


Drawing = Image.Image | Animation


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while a figure was drawn. `drawing`: as far as it got."""

    def __init__(self, drawing: Drawing, message: str) -> None:
        super().__init__(message)
        self.drawing = drawing


@dataclass(frozen=True)
class Panel:
    """One part of a page: images in a grid, with words around it.

    images: uint8 [n, height, width, channels], as `grid` takes them.
    columns: images a row; None for a square grid.
    rows, heads: labels of the grid's rows and columns, or none.
    framed: the numbers of the images that get a red frame.
    """

    images: np.ndarray
    levels: int = 256
    columns: int | None = None
    title: str = ""
    rows: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    x_label: str = ""
    y_label: str = ""
    framed: list[int] = field(default_factory=list)


def tile(images: np.ndarray, levels: int = 256, columns: int | None = None) -> np.ndarray:
    """uint8 [n, height, width, channels] in rows, on white: uint8 [rows, columns, 1 or 3], one pixel a pixel.

    Args:
      images: values 0 to levels - 1. One channel is grey, three are RGB; of two the first is drawn, as grey, and of
        four and more, whatever they are, the first three.
      columns: images a row; None for a square grid.
    """
    images = images[..., : 3 if images.shape[-1] >= 3 else 1]
    n, height, width, channels = images.shape
    columns = columns or math.ceil(n**0.5)
    rows = math.ceil(n / columns)
    canvas = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels), 255, np.uint8)
    scaled = np.rint(images.astype(np.float32) * (255 / (levels - 1))).astype(np.uint8)
    for i, image in enumerate(scaled):
        top, left = (i // columns) * (height + GAP) + GAP, (i % columns) * (width + GAP) + GAP
        canvas[top : top + height, left : left + width] = image
    return canvas


def grid(images: np.ndarray, levels: int = 256, side: int = 480) -> Image.Image:
    """`tile` as a picture, enlarged by whole pixels until its longer side has at least `side` pixels."""
    canvas = tile(images, levels)
    factor = max(1, math.ceil(side / max(canvas.shape[:2])))
    picture = Image.fromarray(canvas.squeeze(-1) if canvas.shape[-1] == 1 else canvas)
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def page(panels: Sequence[Panel], title: str = "", inches: float = 4.0) -> Image.Image:
    """Panels side by side under a title.

    Args:
      inches: the height of one panel, at 150 pixels an inch.
    """
    shapes = [tile(p.images, p.levels, p.columns).shape for p in panels]
    # Room for words: labels of rows at the left, of columns above, of axes at the left and below.
    beside = 0.1 + 0.5 * any(p.rows for p in panels) + 0.3 * any(p.y_label for p in panels)
    above = 0.1 + 0.3 * sum(any(words) for words in zip(*((p.title, p.heads, p.x_label) for p in panels), strict=True))
    widths = [width / height * inches + beside for height, width, _ in shapes]
    size = (sum(widths), inches + above + 0.4 * bool(title))
    figure, (places,) = new_figure(size, columns=len(panels), width_ratios=widths)
    for place, panel in zip(places, panels, strict=True):
        draw_panel(place, panel)
    if title:
        figure.suptitle(title)
    return to_picture(figure)


def draw_panel(axes: Axes, panel: Panel) -> None:
    """A panel on axes."""
    from matplotlib.patches import Rectangle

    canvas = tile(panel.images, panel.levels, panel.columns)
    axes.imshow(canvas.squeeze(-1) if canvas.shape[-1] == 1 else canvas, cmap="gray", vmin=0, vmax=255,
                interpolation="nearest")  # fmt: skip
    height, width = panel.images.shape[1:3]
    axes.set_yticks([GAP + (i + 0.5) * (height + GAP) - 1 for i in range(len(panel.rows))], panel.rows)
    axes.set_xticks([GAP + (i + 0.5) * (width + GAP) - 1 for i in range(len(panel.heads))], panel.heads)
    for i in panel.framed:
        row, column = divmod(i, panel.columns or math.ceil(len(panel.images) ** 0.5))
        corner = (column * (width + GAP) + GAP - 1, row * (height + GAP) + GAP - 1)
        axes.add_patch(Rectangle(corner, width + 1, height + 1, fill=False, color="tab:red", linewidth=2))
    axes.tick_params(length=0, top=False, labeltop=bool(panel.heads), labelbottom=False, labelsize=8)
    axes.set(xlabel=panel.x_label, ylabel=panel.y_label)
    axes.set_title(panel.title, fontsize=10)
    axes.spines[:].set_visible(False)


def degrees(radians: Iterable[float]) -> list[str]:
    """Angles as labels."""
    return [f"{round(math.degrees(angle), 1):g}°".replace("-", "−") for angle in radians]


def new_figure(
    size: tuple[float, float], rows: int = 1, columns: int = 1, **ratios: Sequence[float]
) -> tuple[Figure, np.ndarray]:
    """(figure, its axes [rows, columns]) of `size` inches, without a display."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, figsize=size, dpi=150, layout="constrained", squeeze=False, gridspec_kw=ratios)


def to_picture(figure: Figure) -> Image.Image:
    """What a figure shows, as a picture; the figure is closed."""
    import matplotlib.pyplot as plt

    canvas = cast("FigureCanvasAgg", figure.canvas)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    plt.close(figure)
    return picture


def check_suffix(file: str | Path) -> Path:
    """The file as a Path. Raises UserError for a suffix that no picture has."""
    file = Path(file)
    if file.suffix.lower() not in (".png", ".gif", ".jpg", ".jpeg"):
        raise UserError(f"{file} has the suffix {file.suffix!r}, expected .png, .gif or .jpg")
    return file


def save(drawing: Drawing, file: str | Path) -> None:
    """Writes a picture, or with a name ending in .gif an animation, whole or not at all.

    Raises:
      UserError: another suffix.
    """
    file = check_suffix(file)
    with written_whole(file) as partial:
        if not isinstance(drawing, Animation):
            drawing.save(partial)
        elif file.suffix.lower() == ".gif":
            first, *rest = drawing.frames
            first.save(partial, save_all=True, append_images=rest, duration=drawing.milliseconds, loop=0)
        else:
            drawing.still.save(partial)
