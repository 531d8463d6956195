"""Every figure of the registry, of every kind of flow: a picture, or one line that says why not."""

import functools

import numpy as np
import pytest
from PIL import Image
from tiny_source import tiny_source

from nvp_tf.data.arrays import from_arrays
from nvp_tf.figures import registry
from nvp_tf.pictures.layout import Animation
from nvp_tf.runs.source import Unfit

FLOWS = [
    "realnvp_grey",
    "realnvp_three_scales",
    "realnvp_packed_colour",
    "nice_image",
    "nice_vector",
    "vector_batch_norm",
]
SMALL = {"num": 4, "angles": 3, "stops": 3, "steps": 3, "factor": 2.0}
IMAGES = {"realnvp_grey", "realnvp_three_scales", "realnvp_packed_colour", "nice_image"}
PLANE = {"vector_batch_norm"}
FITS = {
    "generator": PLANE,
    "moons": PLANE,
    "samples": IMAGES | PLANE,
    "sphere": IMAGES,
    "manifold": IMAGES,
    "interpolation": IMAGES,
    "temperature": IMAGES,
    "latents": IMAGES,
    "spectrum": {"nice_image", "nice_vector"},
    "scores": IMAGES,
    "explain": IMAGES,
}


@functools.cache
def source_of(name):
    """One for all figures: they read it, and its graphs are traced once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        source = tiny_source(monkeypatch, name)
    source.run.read_evaluations = list
    if source.config.model.pixels is None:
        points = np.random.default_rng(5).standard_normal((30, *source.flow.event_shape)).astype(np.float32)
        source.dataset = from_arrays(points, points, points)
    return source


@pytest.mark.parametrize("figure", registry.FIGURES)
def test_picture_or_reason(figure):
    options = {key: value for key, value in SMALL.items() if key in registry.get(figure).options}
    for name in FLOWS if registry.get(figure).needs_run else FLOWS[:1]:  # what reads no run is drawn once
        try:
            drawing = registry.draw(figure, source_of(name), options)
        except Unfit as reason:
            assert "\n" not in str(reason) and figure in str(reason)
            assert name not in FITS.get(figure, ()), name
            continue
        assert name in FITS.get(figure, FLOWS), name
        picture = drawing.still if isinstance(drawing, Animation) else drawing
        assert isinstance(picture, Image.Image) and picture.mode in ("L", "RGB"), name
        assert min(picture.size) > 200 and np.asarray(picture).std() > 1, f"{name}: blank"


def test_described():
    for figure in map(registry.get, registry.FIGURES):
        assert figure.summary.endswith(".") and len(figure.summary) < 120, figure.name
        for option in figure.options:
            assert f"{option}:" in figure.description, f"{figure.name}: each option is described"
