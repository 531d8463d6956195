"""Graphical models and computational graphs: nodes, and arrows between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RADIUS = 0.32
SHADE = {"observed": "0.8", "latent": "white", "computed": "#deebf7"}


@dataclass(frozen=True)
class Node:
    """A variable of a graph.

    text: its name, TeX within dollars.
    at: where it stands, (x, y).
    kind: "observed" and "latent" are random, circles; "computed" is a function of others, a square.
    """

    text: str
    at: tuple[float, float]
    kind: str = "latent"


@dataclass(frozen=True)
class Arrow:
    """From one node to another.

    text: beside it.
    style: "-" or "--"; `colour`, and how far it is bent, to the left of its direction where positive.
    """

    start: str
    end: str
    text: str = ""
    style: str = "-"
    colour: str = "black"
    bend: float = 0.0


def draw_graph(axes: Axes, nodes: dict[str, Node], arrows: list[Arrow]) -> None:
    """Draws nodes by name, and arrows between them, on matplotlib axes of their own."""
    from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

    shapes = {}
    for name, node in nodes.items():
        x, y = node.at
        side = 2 * RADIUS
        shape = Rectangle((x - 0.7 * side, y - side / 2), 1.4 * side, side)
        shape = shape if node.kind == "computed" else Circle(node.at, RADIUS)
        shape.set(facecolor=SHADE[node.kind], edgecolor="black", linewidth=1.2, zorder=2)
        shapes[name] = axes.add_patch(shape)
        axes.text(x, y, node.text, ha="center", va="center", fontsize=13, zorder=3)
    xs, ys = zip(*(node.at for node in nodes.values()), strict=True)
    axes.set(xlim=(min(xs) - 1, max(xs) + 1), ylim=(min(ys) - 0.6, max(ys) + 0.6), aspect="equal")
    axes.axis("off")
    for arrow in arrows:
        (x, y), (x_end, y_end) = nodes[arrow.start].at, nodes[arrow.end].at
        ends = {"patchA": shapes[arrow.start], "patchB": shapes[arrow.end], "shrinkA": 2, "shrinkB": 2}
        looks = {"linestyle": arrow.style, "linewidth": 1.4, "color": arrow.colour, "mutation_scale": 16}
        bent = f"arc3,rad={-arrow.bend}"
        axes.add_patch(FancyArrowPatch((x, y), (x_end, y_end), connectionstyle=bent, arrowstyle="-|>", **ends, **looks))
        # Beside the middle, on the outer side of the bend.
        offset = 0.5 * arrow.bend + (0.06 if arrow.bend >= 0 else -0.06)
        across = offset * (y - y_end), offset * (x_end - x)
        axes.text((x + x_end) / 2 + across[0], (y + y_end) / 2 + across[1], arrow.text, fontsize=11, va="center",
                  ha="right" if across[0] < 0 else "left", color=arrow.colour)  # fmt: skip
