"""What a flow draws, beside what it was trained on."""

from PIL import Image

from nvp_tf.pictures.layout import Panel, page
from nvp_tf.pictures.samples import default_count, has_picture, sample_picture
from nvp_tf.runs.source import Source


def draw(source: Source, *, num: int | None = None) -> Image.Image:
    """The data set on the left, as much drawn by the model on the right (figures 5.5, 5.12).

    For 2-D vectors: what is drawn on the left, the density that it is drawn from on the right.

    Args:
      num: how many; 64 images or 2000 points if not given.
    """
    flow = source.flow
    num = num or default_count(flow)
    if not flow.event.is_image and has_picture(flow):
        return sample_picture(flow, num, source.seed)
    source.need_images("samples")
    real = Panel(source.examples(num), source.levels, title=f"{source.dataset.name}, held out")
    images = source.decode(flow.sample_latents(num, source.seed))
    return page([real, Panel(images, source.levels, title="drawn by the model")])
