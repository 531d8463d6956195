"""Images larger than those that the model has learned from."""

import math

import numpy as np
from PIL import Image

from nvp_tf.figures.resized import resized, with_own_statistics
from nvp_tf.pictures.layout import Panel, page
from nvp_tf.runs.source import Source, Unfit


def draw(source: Source, *, factor: float = 10.0, num: int = 1) -> Image.Image:
    """Images drawn at a multiple of the trained size, beside some of that size (figure 5.13).

        x = g(z),   z ~ prior [factor H, factor W, C],   the run's weights

    Twice the same latents: with running statistics, where g is the model's inverse, and as the authors draw theirs,
    the networks' batch normalization by the statistics of the drawn image. The convolutions know of a place only by
    the image's border, and where the trained image is nowhere far from it (a last scale of 4x4) activations drift far
    from it: the running statistics then do not fit any more, the image's own do.

    Args:
      factor: of height and width, such as 1.5; both must come out whole, and divisible for the scales.
      num: how many large images.
    """
    source.need_scales("enlarged")
    height, width, _ = source.flow.event.shape
    large = enlarge(source, factor, num)
    adapted = enlarge(source, factor, num, own_statistics=True)
    drawn = source.decode(source.flow.sample_latents(math.ceil(factor) ** 2, source.seed))
    size = f"×{factor:g}, {large.shape[1]} × {large.shape[2]}"
    panels = {
        f"trained size, {height} × {width}": drawn,
        f"{size}, running statistics": large,
        f"{size}, the image's own statistics": adapted,
    }
    return page([Panel(images, source.levels, title=title) for title, images in panels.items()], inches=5.0)


def enlarge(source: Source, factor: float, num: int, own_statistics: bool = False) -> np.ndarray:
    """`num` images, uint8 [num, factor H, factor W, C], with the run's seed.

    One by one and eagerly, which frees each activation once it has been used: 640x640 of the thesis' five-scale
    model takes 0.45 GB beside the program and its weights.

    Raises:
      Unfit: a size that is not whole or that the scales cannot halve.
    """
    height, width, _ = source.flow.event.shape
    sides = [factor * side for side in (height, width)]
    if any(abs(side - round(side)) > 1e-6 for side in sides):
        raise Unfit(f"enlarged by {factor:g} of {height}x{width} is {sides[0]:g}x{sides[1]:g}, expected whole pixels")
    flow = resized(source, round(sides[0]), round(sides[1]), "enlarged")
    if own_statistics:
        flow = with_own_statistics(flow)
    return np.concatenate([flow.decode(z[None]).numpy() for z in flow.sample_latents(num, source.seed)])
