"""Any image data set of tensorflow_datasets that has been prepared on disk.

Nothing is downloaded here: without a network, tensorflow_datasets retries for minutes before it
says so, and a data set of a hundred gigabytes is no side effect of a command.
"""

import numpy as np
import tensorflow as tf

from nvp_tf.catalogue import CATALOGUE, missing, prepare_command
from nvp_tf.data.arrays import published_arrays
from nvp_tf.data.preparing import Source
from nvp_tf.errors import UserError


def tfds_images(name, data_dir, built_in):
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
            "or the name of an image data set of tensorflow_datasets"
        ) from None
    except (ValueError, AssertionError, ImportError) as error:
        raise UserError(f"data set {name!r} cannot be used: {_first_line(error)}") from None
    _check_feature(builder)
    if not builder.is_prepared():
        raise UserError(
            f"data set {name!r} is not in {builder.data_dir}: expected the result of "
            f"`{prepare_command(name, data_dir)}`"
        )
    held_out = "test" if "test" in builder.info.splits else "validation"
    return published_arrays(name, *read_image_splits(builder, "train", held_out))


def find_builder(name, data_dir):
    """The tfds builder, whether or not its data is on disk; raises what tfds.builder raises."""
    import tensorflow_datasets as tfds

    return tfds.builder(name, data_dir=data_dir)


def prepared_builder(name, data_dir):
    """The builder of a data set of the catalogue, its data on disk; raises UserError where it is not."""
    builder = find_builder(CATALOGUE[name].builder, data_dir)
    if not builder.is_prepared():
        raise missing(name, data_dir)
    return builder


def builder_source(builder, split, transformation, image) -> Source:
    """A split as a Source of colour images, read as a stream.

    Args:
      transformation: a string that says all that `image` does.
      image: a function of uint8 [height, width, 3] to another.
    """
    import tensorflow_datasets as tfds

    def items(start):
        only_image = tfds.decode.PartialDecoding({"image": True})
        examples = builder.as_dataset(split=split, shuffle_files=False, decoders=only_image).skip(start)
        try:
            for number, example in enumerate(tfds.as_numpy(examples), start=start):
                yield f"{split}/{number}", example["image"]
        except tf.errors.OpError as error:
            raise damaged(builder, split, error) from None

    size = builder.info.splits[split].num_examples
    identity = [transformation, str(builder.data_dir), split, str(size)]
    return Source(builder.info.name, identity, size, channels=3, items=items, image=image)


def damaged(builder, split, error):
    """The UserError of records that cannot be read."""
    return UserError(f"data set {_full(builder)} is damaged: {_first_line(error.message)}, expected to read {split}")


def read_image_splits(builder, *names):
    """Whole splits in memory, uint8 [n, height, width, channels] each, all of one image shape.

    Raises:
      UserError: a split is missing, empty or damaged, or sizes differ.
    """
    splits = builder.info.splits
    for name in names:
        if name not in splits or not splits[name].num_examples:
            raise UserError(f"data set {_full(builder)} has splits {', '.join(splits)}, expected images in {name}")
    arrays, shape = [], None
    for name in names:
        arrays.append(_read(builder, name, shape))
        shape = arrays[0].shape[1:]
    return arrays


def _check_feature(builder):
    features = dict(builder.info.features)
    image = features.get("image")
    if image is None or image.np_dtype != np.uint8 or len(image.shape) != 3:
        raise UserError(f"data set {_full(builder)} has features {', '.join(features)}, expected image, of uint8")


def _read(builder, name, shape):
    """uint8 [n, *shape]; with shape None, that of the first image."""
    import tensorflow_datasets as tfds

    images = None
    only_image = tfds.decode.PartialDecoding({"image": True})
    examples = builder.as_dataset(split=name, shuffle_files=False, decoders=only_image)
    try:
        for i, example in enumerate(tfds.as_numpy(examples)):
            image = example["image"]
            if images is None:
                shape = shape or image.shape
                images = np.empty((builder.info.splits[name].num_examples, *shape), np.uint8)
            if image.shape != shape:
                raise UserError(f"data set {_full(builder)} has images of {shape} and {image.shape}, expected one size")
            images[i] = image
    except tf.errors.OpError as error:
        raise damaged(builder, name, error) from None
    return images


def _full(builder):
    return repr(builder.info.full_name)


def _first_line(error):
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
