"""Any image data set of tensorflow_datasets that has been prepared on disk.

Nothing is downloaded here: without a network, tensorflow_datasets retries for minutes before it
says so, and a data set of a hundred gigabytes is no side effect of a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from absl import logging

from nvp_tf.data.catalogue import CATALOGUE, missing, prepare_command
from nvp_tf.data.picture_source import files_digest
from nvp_tf.data.preparing import Source
from nvp_tf.data.published import published_images
from nvp_tf.data.split import DataSet
from nvp_tf.errors import UserError

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder


def tfds_images(name: str, data_dir: str | None, built_in: Sequence[str]) -> DataSet:
    """The data set of builder `name`, such as "cifar10" or "imagenet_resized/32x32".

    Args:
      name: what tfds.builder takes.
      data_dir: where it was prepared; None for tensorflow_datasets' own default.
      built_in: the names to list when there is no such builder.

    Raises:
      UserError: no such builder, not prepared, or not images of one size.
    """
    from tensorflow_datasets.core import DatasetNotFoundError

    try:
        builder = find_builder(name, data_dir)
    except DatasetNotFoundError:
        raise UserError(
            f"data set {name!r} is not known, expected one of {', '.join(built_in)}, "
            "or the name of an image data set of tensorflow_datasets; one that was arrays in Python needs "
            "--data_dir=FILE, as numpy.savez writes it"
        ) from None
    except (ValueError, AssertionError, ImportError) as error:
        raise UserError(f"data set {name!r} cannot be used: {_first_line(error)}") from None
    _check_feature(builder)
    if not _is_prepared(builder):
        raise UserError(
            f"data set {name!r} is not in {builder.data_dir}: expected the result of "
            f"`{prepare_command(name, data_dir)}`"
        )
    held_out = "test" if "test" in builder.info.splits else "validation"
    return builder_images(name, builder, held_out)


def find_builder(name: str, data_dir: str | None) -> DatasetBuilder:
    """The tfds builder, whether or not its data is on disk; raises what tfds.builder raises."""
    import tensorflow_datasets as tfds

    return tfds.builder(name, data_dir=data_dir)


def prepared_builder(name: str, data_dir: str | None) -> DatasetBuilder:
    """The builder of a data set of the catalogue, its data on disk; raises UserError where it is not."""
    for builder_name in CATALOGUE[name].builders:
        builder = find_builder(builder_name, data_dir)
        if _is_prepared(builder):
            return builder
    raise missing(name, data_dir)


def builder_images(name: str, builder: DatasetBuilder, test: str = "test", held_out: int | None = None) -> DataSet:
    """The data set of a prepared builder's splits `train` and `test`, whole images of one size.

    held_out: how many images of `train` are `valid`, as in `published_images`.
    """
    shape = _first_shape(builder, "train")
    train, held = (builder_source(builder, split, shape) for split in ("train", test))
    return published_images(name, train, held, held_out=held_out)


def builder_source(
    builder: DatasetBuilder,
    split: str,
    shape: tuple[int, ...] | None,
    transformation: str = "none",
    image: Callable[[np.ndarray], np.ndarray] = lambda image: image,
) -> Source:
    """A split as a Source, read as a stream.

    Args:
      shape: of every image, others are refused; None for colour images of any size.
      transformation: says all that `image` does.
      image: a function of uint8 [height, width, channels] to another.

    Raises:
      UserError: a split that is missing or empty; when read, one that is damaged, or images of other shapes.
    """
    import tensorflow_datasets as tfds

    splits = builder.info.splits
    if split not in splits or not splits[split].num_examples:
        raise UserError(f"data set {_full(builder)} has splits {', '.join(splits)}, expected images in {split}")
    only_image = tfds.decode.PartialDecoding({"image": True})

    def items(start: int) -> Iterator[tuple[str, np.ndarray]]:
        examples = builder.as_dataset(split=split, shuffle_files=False, decoders=only_image).skip(start)
        try:
            for number, example in enumerate(tfds.as_numpy(examples), start=start):
                if shape and example["image"].shape != shape:
                    found = f"images of {shape} and {example['image'].shape}"
                    raise UserError(f"data set {_full(builder)} has {found}, expected one size")
                yield f"{split}/{number}", example["image"]
        except tf.errors.OpError as error:
            reason = _first_line(error.message)
            raise UserError(f"data set {_full(builder)} is damaged: {reason}, expected to read {split}") from None

    return Source(
        name=f"{builder.info.name}-{split}",
        identity=[transformation, split, files_digest(builder.data_dir, splits[split].filenames)],
        size=splits[split].num_examples,
        channels=shape[-1] if shape else 3,
        items=items,
        image=image,
    )


def _first_shape(builder: DatasetBuilder, split: str) -> tuple[int, ...]:
    _, image = next(builder_source(builder, split, None).items(0))
    return image.shape


def _is_prepared(builder: DatasetBuilder) -> bool:
    kept = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)  # It warns where the answer is no, and we say so in a line of our own.
    try:
        return builder.is_prepared()
    finally:
        logging.set_verbosity(kept)


def _check_feature(builder: DatasetBuilder) -> None:
    features = dict(builder.info.features)
    image = features.get("image")
    if image is None or image.np_dtype != np.uint8 or len(image.shape) != 3:
        raise UserError(f"data set {_full(builder)} has features {', '.join(features)}, expected image, of uint8")


def _full(builder: DatasetBuilder) -> str:
    return repr(builder.info.full_name)


def _first_line(error: Exception | str) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
