"""How the score adds up over the scales, and whether the latents are as the prior says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from PIL import Image

from nvp_tf.layers.squeeze import squeeze
from nvp_tf.models.flow import Flow
from nvp_tf.models.objectives import bits_per_dim
from nvp_tf.models.priors import Prior
from nvp_tf.pictures.layout import new_figure, to_picture
from nvp_tf.runs.source import BATCH, Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(source: Source, *, num: int = 200) -> Image.Image:
    """How each scale's layers and latents add up to the score, and each scale's latents (figure 5.10, equation 5.3).

        log p(x) = log_det(pixels) + sum over scales k of [log_det(layers of k) + log prior(latents of k)]

    Left, the mean over held-out images of each term in bits a dimension of the whole image: above 0 costs, below 0
    is won by stretching where data is dense. The latents of a scale are the half of its variables that is factored
    out there, of the last one all. Right, how they are distributed, beside the prior: where the model fits, they agree.
    A model without scales, such as NICE, has one.

    Args:
      num: held-out images.
    """
    source.need_images("latents")
    flow, x = source.flow, source.examples(num)
    scales = getattr(source.config.model.flow, "scales", 1)
    terms, latents = tally(flow, x, scales)
    if scales == 1:
        terms = {name.removesuffix(" 1"): value for name, value in terms.items()}
    figure, ((left, right),) = new_figure((6.5 + 1.2 * scales, 4.2), columns=2, width_ratios=[2 + scales, 3])
    waterfall(left, {name: bits_per_dim(value.mean(), flow.dimensions) for name, value in terms.items()})
    left.set_title(f"mean of {len(x)} held-out images of {source.dataset.name}", fontsize=10)
    histograms(right, latents, flow.prior, source.config.model.prior)
    return to_picture(figure)


def tally(flow: Flow, x: np.ndarray, scales: int) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """({term: its log-likelihood, float64 [n] nats}, [latents of each scale, [n, how many]]).

    The terms add up to `flow.log_prob(x)`.
    """
    images = tf.TensorSpec((None, *flow.event.shape), tf.uint8)
    graph = tf.function(lambda batch: _tally(flow, batch, scales), [images], autograph=False)
    batches = [graph(x[i : i + BATCH]) for i in range(0, len(x), BATCH)]
    terms = {name: np.concatenate([b[0][name] for b in batches]).astype(np.float64) for name in batches[0][0]}
    return terms, [np.concatenate(part) for part in zip(*(b[1] for b in batches), strict=True)]


def _tally(flow: Flow, x: tf.Tensor, scales: int) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
    v = flow.to_reals(x, flow.noise_pattern())
    z, log_dets = flow.bijector.trace(v)
    latents = by_scale(z, scales)
    terms = {"pixels": 0.0}
    for k, part in enumerate(latents, start=1):
        terms |= {f"layers {k}": 0.0, f"latents {k}": flow.prior.log_prob(part)}
    for name, log_det in log_dets:
        scale = re.match(r"scale_(\d+)", name)
        terms[name if name == "pixels" else f"layers {int(scale[1]) + 1 if scale else 1}"] += log_det
    return terms, [tf.reshape(part, [tf.shape(x)[0], -1]) for part in latents]


def by_scale(z: tf.Tensor, scales: int) -> list[tf.Tensor]:
    """Latents of an image's shape as those of each scale; the first is what is factored out first."""
    parts = []
    for _ in range(scales - 1):
        z, done = tf.split(squeeze(z, "ordered"), 2, axis=-1)
        parts.append(done)
    return [*parts, z]


def waterfall(axes: Axes, terms: dict[str, float]) -> None:
    """Bars that each begin where the last one ended, and their sum."""
    from matplotlib.patches import Patch

    below = 0.0
    for i, (name, value) in enumerate([*terms.items(), ("score", sum(terms.values()))]):
        start = 0.0 if name == "score" else below
        color = "0.35" if name == "score" else "tab:red" if value > 0 else "tab:green"
        axes.bar(i, value, bottom=start, color=color, width=0.7)
        words = f"{value:.2f}" if name == "score" else f"{value:+.2f}".replace("-", "−")
        axes.annotate(words, (i, max(start, start + value)), xytext=(0, 2), textcoords="offset points", ha="center",
                      fontsize=8)  # fmt: skip
        below = start + value
    names = [*terms, "score"]
    axes.set_xticks(range(len(names)), [name.replace(" ", "\nof scale ") for name in names], fontsize=8)
    axes.set(ylabel="bits/dim")
    axes.legend(handles=[Patch(color="tab:red", label="costs"), Patch(color="tab:green", label="wins")], fontsize=8)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.use_sticky_edges = False
    axes.margins(y=0.2)


def histograms(axes: Axes, latents: list[np.ndarray], prior: Prior, prior_name: str) -> None:
    """The density of each scale's latents, and the prior's."""
    reach = {"normal": 4.0, "logistic": 8.0}[prior_name]
    bins = np.linspace(-reach, reach, 61)
    tallest = []
    for k, part in enumerate(latents, start=1):
        scale = f"scale {k}: " if len(latents) > 1 else ""
        label = f"{scale}{part.shape[1]} latents, std {part.std():.2f}"
        heights, *_ = axes.hist(part.ravel(), list(bins), density=True, histtype="step", linewidth=1.3, label=label)
        tallest.append(np.max(heights))
    line = np.linspace(-reach, reach, 200, dtype=np.float32)
    density = np.exp(prior.log_prob(tf.constant(line[:, None])).numpy())
    axes.plot(line, density, "k--", linewidth=1, label=f"{prior_name} prior")
    axes.set(xlabel="value of a latent", ylabel="density", ylim=(0, 1.4 * max(density.max(), *tallest)))
    axes.legend(fontsize=8, loc="upper right")
