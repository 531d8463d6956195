"""The radial map, one that makes a minimum sharper and one that makes it flatter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nvp_tf.flatness.bijective import Radial
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DELTA = 1.0
MAPS = {"flatter at the centre": (0.3, 0.7), "sharper at the centre": (0.7, 0.3)}  # (rhat, rho)


def radial(rhat: float, rho: float, dimensions: int) -> Radial:
    """The layer, its centre 0."""
    layer = Radial(rhat, rho, DELTA, dtype="float64")
    layer.build((None, dimensions))
    return layer


def draw(source: Source | None = None) -> Image.Image:
    """The radial transformation of the plane: what it does to radii, and to a regular grid (figure 3.6).

    Blue is the core r <= rhat, red the shell up to delta; beyond, nothing moves. Written above: the factor of the
    Hessian at the centre, (rhat / rho)^2, from the layer's log-determinant there.

    Args:
      source: not read; the maps are the same for every run.
    """
    del source
    figure, places = new_figure((8.2, 8), rows=2, columns=2)
    for row, (name, (rhat, rho)) in zip(places, MAPS.items(), strict=True):
        draw_radii(row[0], rhat, rho)
        draw_plane(row[1], rhat, rho)
        log_det = float(radial(rhat, rho, 2).forward(np.zeros((1, 2)))[1][0])
        row[1].set_title(f"{name}: Hessian times {np.exp(-log_det):.3f}", fontsize=10)
    return to_picture(figure)


def draw_radii(axes: Axes, rhat: float, rho: float) -> None:
    """psi(r), by the layer on a line."""
    r = np.linspace(0, 1.4, 281)
    psi = radial(rhat, rho, 1).forward(r[:, None])[0].numpy()[:, 0]
    axes.plot([0, 1.4], [0, 1.4], color="0.8", linewidth=1)
    for part, colour in ((r <= rhat, "tab:blue"), ((r >= rhat) & (r <= DELTA), "tab:red"), (r >= DELTA, "black")):
        axes.plot(r[part], psi[part], color=colour, linewidth=2)
    axes.set(xlabel="r", ylabel="ψ(r)", aspect="equal", xticks=[0, rhat, DELTA], yticks=[0, rho, DELTA])
    axes.set_xticklabels(["0", f"r̂ = {rhat}", f"δ = {DELTA:g}"])
    axes.set_yticklabels(["0", f"ρ = {rho}", f"δ = {DELTA:g}"])


def draw_plane(axes: Axes, rhat: float, rho: float) -> None:
    """The images of the lines of a square grid, and of the core and the shell."""
    layer = radial(rhat, rho, 2)
    angle = np.linspace(0, 2 * np.pi, 200)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    for radius, colour in ((DELTA, "tab:red"), (rhat, "tab:blue")):
        edge = layer.forward(radius * ring)[0].numpy()
        axes.fill(*edge.T, color="white", linewidth=0)
        axes.fill(*edge.T, color=colour, alpha=0.35, linewidth=0)
    along = np.linspace(-1.3, 1.3, 261)
    for offset in np.linspace(-1.3, 1.3, 27):
        for line in (
            np.stack([along, np.full_like(along, offset)], 1),
            np.stack([np.full_like(along, offset), along], 1),
        ):
            axes.plot(*layer.forward(line)[0].numpy().T, color="black", linewidth=0.5)
    axes.set(aspect="equal", xticks=[], yticks=[], xlabel="η₁", ylabel="η₂")
