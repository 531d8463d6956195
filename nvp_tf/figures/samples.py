"""What a flow draws, as a picture: a grid of images, or points and density of a 2-D flow."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from nvp_tf.errors import UserError
from nvp_tf.files import written_whole


def has_picture(flow) -> bool:
    """Whether `sample_picture` can draw the flow: images, or 2-D vectors."""
    return flow.pixels is not None or flow.event_shape == (2,)


def default_count(flow) -> int:
    """How many samples a picture shows when nobody says: an image needs more room than a point."""
    return 64 if flow.pixels is not None else 2000


def sample_picture(flow, num_samples, seed=0, temperature=1.0) -> Image.Image:
    """A grid of samples for images; for 2-D vectors, samples beside the density that they come from.

    Raises:
      UserError: a flow of vectors that are not 2-D.
    """
    if not has_picture(flow):
        raise UserError(f"vectors of shape {flow.event_shape} have no picture, expected images or 2-D vectors")
    samples = flow.sample(num_samples, seed, temperature).numpy()
    return density_picture(flow, samples) if flow.pixels is None else grid(samples, flow.pixels.levels)


def grid(images, levels=256, columns=None, gap=1, side=480) -> Image.Image:
    """uint8 [n, height, width, channels] in rows, on white, enlarged by whole pixels to about `side`.

    Args:
      images: values 0 to levels - 1; one channel is grey, three are RGB.
      columns: images a row; None for a square grid.
      gap: white pixels between two images, before enlarging.
      side: the longer side's smallest length, in pixels.
    """
    n, height, width, channels = images.shape
    columns = columns or math.ceil(n**0.5)
    rows = math.ceil(n / columns)
    canvas = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8)
    scaled = np.rint(images.astype(np.float32) * (255 / (levels - 1))).astype(np.uint8)
    for i, image in enumerate(scaled):
        top, left = (i // columns) * (height + gap) + gap, (i % columns) * (width + gap) + gap
        canvas[top : top + height, left : left + width] = image
    factor = max(1, math.ceil(side / max(canvas.shape[:2])))
    picture = Image.fromarray(canvas.squeeze(-1) if channels == 1 else canvas)
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def density_picture(flow, samples, resolution=300) -> Image.Image:
    """Samples of a 2-D flow, and its density over the same square."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    low, high = np.percentile(samples, [0.5, 99.5], axis=0)
    centre, reach = (low + high) / 2, 0.65 * (high - low).max()
    axes_x, axes_y = (np.linspace(c - reach, c + reach, resolution, dtype=np.float32) for c in centre)
    points = np.stack(np.meshgrid(axes_x, axes_y), axis=-1).reshape(-1, 2)
    density = np.exp(flow.log_prob(points).numpy()).reshape(resolution, resolution)

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 5), dpi=100, layout="constrained")
    extent = (axes_x[0], axes_x[-1], axes_y[0], axes_y[-1])
    left.scatter(*samples.T, s=4, alpha=0.5, linewidths=0)
    left.set(
        title=f"{len(samples)} samples", xlim=extent[:2], ylim=extent[2:], xlabel="x1", ylabel="x2", aspect="equal"
    )
    image = right.imshow(density, origin="lower", extent=extent, cmap="magma")
    right.set(title="density p(x)", xlabel="x1")
    figure.colorbar(image, ax=right, shrink=0.8)
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    plt.close(figure)
    return picture


def save_picture(picture: Image.Image, file):
    """Writes a picture whole or not at all."""
    file = Path(file)
    if file.suffix.lower() not in (".png", ".gif", ".jpg", ".jpeg"):
        raise UserError(f"{file} has the suffix {file.suffix!r}, expected .png, .gif or .jpg")
    with written_whole(file) as partial:
        picture.save(partial)


def save_array(array, file):
    """Writes a .npy file whole or not at all."""
    with written_whole(file) as partial:
        np.save(partial, array)
