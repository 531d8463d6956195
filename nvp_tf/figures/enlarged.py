"""Images larger than those that the model has learned from."""

import math

import numpy as np

from nvp_tf.figures.layout import Panel, page
from nvp_tf.figures.resized import resized
from nvp_tf.figures.source import Unfit


def draw(source, *, factor=10.0, num=1):
    """Images drawn at a multiple of the trained size, beside some of that size (figure 5.13).

        x = g(z),   z ~ prior [factor H, factor W, C],   the weights and running statistics of the run

    The convolutions know of a place only by the image's border, so that a larger image is more of the same texture.
    Memory: an image is decoded whole and alone; see `enlarge`.

    Args:
      factor: of height and width, such as 1.5; both must come out whole, and divisible for the scales.
      num: how many large images.
    """
    source.need_scales("enlarged")
    height, width, _ = source.flow.event_shape
    large = enlarge(source, factor, num)
    across = math.ceil(factor)
    drawn = source.decode(source.flow.sample_latents(across**2, source.seed))
    small = Panel(drawn, source.levels, title=f"drawn at the trained size, {height} × {width}")
    title = f"drawn at ×{factor:g}, {large.shape[1]} × {large.shape[2]}"
    return page([small, Panel(large, source.levels, title=title)], inches=5.0)


def enlarge(source, factor, num):
    """`num` images, uint8 [num, factor H, factor W, C], with the run's seed.

    Evaluated eagerly, which frees each activation once it has been used: the peak is a dozen of the largest, of
    filters x pixels values. Measured above the program's own 0.6 GB: see the tests.

    Raises:
      Unfit: a size that is no integer or that the scales cannot halve.
    """
    height, width, _ = source.flow.event_shape
    sides = [factor * side for side in (height, width)]
    if any(abs(side - round(side)) > 1e-6 for side in sides):
        raise Unfit(f"enlarged by {factor:g} of {height}x{width} is {sides[0]:g}x{sides[1]:g}, expected whole pixels")
    flow = resized(source, *map(round, sides), "enlarged")
    latents = flow.sample_latents(num, source.seed)
    return np.concatenate([flow.decode(z[None]).numpy() for z in latents])
