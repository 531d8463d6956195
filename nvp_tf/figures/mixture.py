"""A mixture of Gaussians in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.registry import load_dataset
from nvp_tf.densities.budget import Budget
from nvp_tf.densities.contract import Domain
from nvp_tf.densities.grids import on_a_grid
from nvp_tf.densities.mixture import FullMixture, FullSettings
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import Source

if TYPE_CHECKING:
    from PIL import Image

    from nvp_tf.runs.source import Source

_COMPONENTS, _ITERATIONS = 6, 60
_DEEPEST = 12  # nats below the maximum
_CIRCLE = np.stack([f(np.linspace(0, 2 * np.pi, 100)) for f in (np.cos, np.sin)])


def draw(source: Source | None = None, *, num: int = 300) -> Image.Image:
    """The log-density of a mixture of Gaussians in the plane, with samples of it (figure 4.1).

    The mixture has six components with full covariances, by 60 iterations of EM on two_moons. Black ellipses are one
    standard deviation of each component; each is linear on its own, and it takes many to bend.

    Args:
      source: not read; the mixture is the same for every run.
      num: samples.
    """
    del source
    dataset = load_dataset(DataConfig("two_moons"))
    density = FullMixture(Domain.of(dataset), FullSettings(_COMPONENTS))
    density.fit(dataset.train, dataset.valid, Budget(steps=_ITERATIONS))
    grid, drawn = on_a_grid(density, dataset), density.sample(num)
    figure, ((axes,),) = new_figure((7, 4.5))
    log_prob, highest = grid["log_prob"], grid["log_prob"].max()
    levels = np.linspace(highest - _DEEPEST, highest, 25)
    filled = axes.contourf(grid["first"], grid["second"], log_prob, levels, extend="min", cmap="Blues")
    for ellipse in ellipses(density):
        axes.plot(*ellipse, color="black", linewidth=1)
    axes.scatter(*drawn.T, s=8, color="tab:orange", label=f"{num} samples", zorder=3)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    axes.legend(loc="upper right", fontsize=9)
    figure.colorbar(filled, label="log p(x), nats")
    return to_picture(figure)


def ellipses(density: FullMixture) -> list[np.ndarray]:
    """One standard deviation of each component on the data's scale, [2, points] each."""
    shift, scale = (np.array(value)[:, None] for value in (density.domain.shift, density.domain.scale))
    means, factors = density.model.mean.numpy(), density.model.factor.numpy()
    return [shift + scale * (mean[:, None] + factor @ _CIRCLE) for mean, factor in zip(means, factors, strict=True)]
