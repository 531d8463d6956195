"""What an image is without its finer latents."""

import numpy as np
import tensorflow as tf
from PIL import Image

from nvp_tf.models.scales import kept
from nvp_tf.pictures.layout import Panel, page
from nvp_tf.runs.source import Source


def draw(source: Source, *, num: int = 8) -> Image.Image:
    """Held-out images of which 100 %, 50 %, 25 %, ... of the latents are kept (figures 5.15, 5.16).

        x_k = g(z where kept_k, else e),   z = f(x),   e ~ N(0, 1) on the left, e = 0 on the right

    A row is one image; column k replaces what the first k scales factored out, the finest first, and keeps 2^-k of
    the latents. The first column is the image itself, exactly.

    Args:
      num: images, a row each.
    """
    source.need_scales("compression")
    scales, shape = getattr(source.config.model.flow, "scales", 1), source.flow.latent_shape
    images = source.examples(num)
    z = source.encode(images).reshape(-1, *shape)
    noise = tf.random.stateless_normal(z.shape, [source.seed, 0]).numpy()
    heads = [f"{100 * 0.5**k:g} %" for k in range(scales)]

    def panel(replacement: np.ndarray, title: str) -> Panel:
        columns = [np.where(kept(shape, k), z, replacement).reshape(len(z), -1) for k in range(scales)]
        decoded = np.stack([source.decode(column) for column in columns], axis=1)
        return Panel(decoded.reshape(-1, *images.shape[1:]), source.levels, scales, title, heads=heads)

    panels = [panel(noise, "rest N(0, 1)"), panel(np.zeros_like(z), "rest 0")]
    return page(panels, title="Latents kept", inches=0.72 * len(images))
