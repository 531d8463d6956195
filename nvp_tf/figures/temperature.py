"""What the temperature of the latents does."""

import numpy as np
from PIL import Image

from nvp_tf.pictures.layout import Panel, page
from nvp_tf.runs.source import Source

TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def draw(source: Source, *, num: int = 10) -> Image.Image:
    """The same draws at temperatures 0.5 to 1, a row each (the thesis draws at 1 alone).

        x = g(T z),   z ~ prior

    A column is one draw z [D]. 1 is the model; below it, latents are nearer to the prior's mode than any draw of
    the model is, and images vary less than its own do.

    Args:
      num: images a row.
    """
    source.need_images("temperature")
    z = source.flow.sample_latents(num, source.seed).numpy()
    images = source.decode(np.concatenate([t * z for t in TEMPERATURES]))
    panel = Panel(images, source.levels, columns=num, rows=[f"{t:.1f}" for t in TEMPERATURES], y_label="temperature")
    return page([panel], title="The same draws at several temperatures", inches=4.5)
