"""Images to hold against a run's own: of other data sets, made, and its own test images altered.

All are uint8 [n, height, width, channels] of the run's shape, with its levels: 0 to levels - 1.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.catalogue import CATALOGUE
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError
from nvp_tf.pictures.decoding import Fit, pixels, read_picture, to_levels
from nvp_tf.pictures.files import PassedOver, find_pictures
from nvp_tf.runs.source import Source, choose

_INSIDE = 5 / 7  # of the sides: 28 pixels with a margin of 4, as MNIST is laid out
IN_A_MARGIN = ", in a margin"
_SQUARES = (1, 2, 4)  # sides of a checkerboard's squares
_LARGEST_CUT = 4  # a cut of a photograph has between 1 / this and all of its smaller side


def own(source: Source, num: int) -> dict[str, np.ndarray]:
    """What the model should know: its training images, and its own samples."""
    latents = source.flow.sample_latents(num, source.seed)
    return {"its training images": source.examples(num, "train"), "drawn by the model": source.decode(latents)}


def other_data_sets(
    source: Source, num: int, also: Sequence[str] = (), folders: Sequence[str] = ()
) -> tuple[dict[str, np.ndarray], dict[str, str], PassedOver]:
    """Other data, brought to the run's shape and levels, each also smaller on a black margin.

    Args:
      num: at most so many images of each.
      also: "NAME:DIR" of data sets whose files are in DIR.
      folders: of pictures, of which random squares are cut.

    Returns:
      ({name: images}, {name: why it was skipped}, files of the folders that are among no images).

    Raises:
      UserError: data that was asked for and cannot be read.
    """
    shape, levels = source.flow.event.shape, source.levels
    found: dict[str, np.ndarray] = {}
    skipped: dict[str, str] = {}
    passed = PassedOver()
    for config in _configs(source.config.data.name, also):
        if config.data_dir is None and not CATALOGUE[config.name].found():
            skipped[config.name] = "not on this machine, `nvp_tf datasets` says how to get it"
            continue
        dataset = load_dataset(config)
        own_levels = dataset.event.levels
        if own_levels is None:
            skipped[config.name] = "vectors"
            continue
        images = choose(dataset.test, num, source.seed)
        found[config.name] = bring(images, own_levels, shape, levels)
        found[f"{config.name}{IN_A_MARGIN}"] = bring(images, own_levels, shape, levels, _INSIDE)
    for folder in folders:
        images, beside = cuts(folder, num, shape, source.seed)
        passed.merge(beside)
        found[f"pictures in {folder}"] = bring(images, 256, shape, levels)
    return found, skipped, passed


def of_one_kind(source: Source, num: int) -> dict[str, np.ndarray]:
    """{name: held-out images} of the other data sets that are here with the run's shape and levels."""
    shape, found = "x".join(map(str, source.config.model.event.shape)), {}
    for name, entry in CATALOGUE.items():
        if name != source.config.data.name and entry.shape == shape and entry.found():
            dataset = load_dataset(DataConfig(name))
            if dataset.event == source.config.model.event:
                found[name] = choose(dataset.test, num, source.seed)
    return found


def _configs(run_on: str, also: Sequence[str]) -> list[DataConfig]:
    """A DataConfig for each data set that is no person's own, but that which the run is on."""
    places = {}
    for word in also:
        name, colon, place = word.partition(":")
        if not (colon and place):
            raise UserError(f"also is {word!r}, expected NAME:DIR, such as mnist:~/data")
        places[name] = DataConfig(name).at(place)
    names = [name for name, entry in CATALOGUE.items() if not entry.own]
    return [*places.values(), *(DataConfig(name) for name in names if name not in (*places, run_on))]


def bring(images: np.ndarray, levels: int, shape: tuple[int, ...], wanted: int, inside: float = 1.0) -> np.ndarray:
    """Images of any size and 1 or 3 channels to a shape and levels: covered, the centre kept, rounded.

    inside: the share of the sides that the image gets; the rest is black.
    """
    height, width, channels = shape
    rows, columns = round(height * inside), round(width * inside)
    top, left = (height - rows) // 2, (width - columns) // 2
    result = np.zeros((len(images), *shape), np.uint8)
    for target, image in zip(result, images, strict=True):
        image = np.rint(image * (255 / (levels - 1))).astype(np.uint8)
        picture = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)
        picture = ImageOps.fit(
            picture.convert("RGB" if channels == 3 else "L"), (columns, rows), Image.Resampling.BILINEAR
        )
        target[top : top + rows, left : left + columns] = to_levels(pixels(picture), wanted)
    return result


def cuts(folder: str, num: int, shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, PassedOver]:
    """(uint8 [num, *shape] of a folder's pictures, what else is there).

    Of each picture in turn a random place at a random scale; for one that cannot be read another has a cut more.

    Raises:
      UserError: no folder, or none with a picture that can be read.
    """
    found, (height, width, channels), rng = find_pictures(folder), shape, np.random.default_rng(seed)
    result = np.empty((num, *shape), np.uint8)

    def fill(path: str, places: Sequence[int]) -> None:
        picture = read_picture(f"{folder}/{path}", channels, Fit())
        largest = min(picture.width / width, picture.height / height)
        for k in places:
            scale = largest * rng.uniform(1 / _LARGEST_CUT, 1)
            across, down = scale * width, scale * height
            left, top = rng.uniform(0, (picture.width - across, picture.height - down))
            box = (left, top, min(left + across, picture.width), min(top + down, picture.height))
            result[k] = pixels(picture.resize((width, height), Image.Resampling.BILINEAR, box))

    good, open_places = [], list[int]()
    for i, path in enumerate(found.files):
        places = list(range(i, num, len(found.files))) or open_places[:1]
        try:
            fill(path, places)
            good.append(path)
            open_places = [k for k in open_places if k not in places]
        except UserError as error:
            found.passed.add(path, str(error))
            open_places += [k for k in places if k not in open_places]
    if not good:
        beside = f" ({found.passed})" if found.passed else ""
        raise UserError(f"folder is {folder}, expected one with pictures in it{beside}")
    for i, path in enumerate(good[: len(open_places)]):
        fill(path, open_places[i :: len(good)])
    return result, found.passed.below(folder)


def made(test: np.ndarray, levels: int, seed: int) -> dict[str, np.ndarray]:
    """Images that are no photographs of anything, as many as there are test images.

    Normal noise has the test images' mean and deviation; a constant image is of each level in turn.
    """
    (n, height, width, _), rng = test.shape, np.random.default_rng(seed)
    normal = rng.normal(test.mean(), test.std(), test.shape)
    squares, first = rng.choice(_SQUARES, (n, 1, 1)), rng.integers(0, levels, n)
    two = np.stack([first, (first + rng.integers(1, levels, n)) % levels], axis=1)
    row, column = np.indices((height, width))
    odd = (row // squares + column // squares) % 2
    checkerboards = np.take_along_axis(two, odd.reshape(n, -1), axis=1).reshape(n, height, width, 1)
    every_level = np.arange(levels)[:, None, None, None]
    return {
        "uniform noise": rng.integers(0, levels, test.shape, dtype=np.uint8),
        "normal noise": np.clip(np.rint(normal), 0, levels - 1).astype(np.uint8),
        "constant": np.broadcast_to(every_level, (levels, *test.shape[1:])).astype(np.uint8),
        "checkerboard": np.broadcast_to(checkerboards, test.shape).astype(np.uint8),
    }


def altered(test: np.ndarray, levels: int, seed: int) -> dict[str, np.ndarray]:
    """The test images themselves, changed. A quarter turn only where they are square."""
    from scipy.ndimage import gaussian_filter

    n, height, width, channels = test.shape
    places = np.random.default_rng(seed).permuted(np.tile(np.arange(height * width), (n, 1)), axis=1)
    shuffled = np.take_along_axis(test.reshape(n, -1, channels), places[..., None], axis=1)
    lower_half = np.arange(height)[:, None, None] >= height // 2
    turned = {"rotated by 90°": np.rot90(test, axes=(1, 2))} if height == width else {}
    return {
        "negatives": (levels - 1 - test).astype(np.uint8),
        **turned,
        "rotated by 180°": test[:, ::-1, ::-1],
        "upside down": test[:, ::-1],
        "mirrored": test[:, :, ::-1],
        "blurred": np.rint(gaussian_filter(test.astype(np.float32), (0, 1, 1, 0))).astype(np.uint8),
        "pixels shuffled": shuffled.reshape(test.shape),
        "lower half black": np.where(lower_half, 0, test).astype(np.uint8),
    }
