"""ImageNet downsampled to 32x32 and 64x64, in the layouts in which people hold it.

The thesis' numbers are of the first such set (van den Oord et al. 2016): folders of PNG files, in tensorflow_datasets
`downsampled_imagenet`. The .npz files (Chrabaszcz et al. 2017), in tensorflow_datasets `imagenet_resized`, were
downsampled in another way, and scores on them are not to be compared with those.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.catalogue import CATALOGUE, Layout, beside, look_for_all
from nvp_tf.data.npz_rows import npz_headers, npz_rows
from nvp_tf.data.picture_source import files_digest, picture_source
from nvp_tf.data.preparing import Source
from nvp_tf.data.published import published_images
from nvp_tf.data.split import DataSet
from nvp_tf.data.tfds_images import builder_source, prepared_builder
from nvp_tf.errors import UserError
from nvp_tf.pictures.decoding import pixels
from nvp_tf.pictures.files import list_pictures


def imagenet32(config: DataConfig) -> DataSet:
    """32x32 colour photographs; the published validation split is `test`, as in the thesis."""
    return _load(config.data_dir, 32)


def imagenet64(config: DataConfig) -> DataSet:
    """64x64 colour photographs; the published validation split is `test`, as in the thesis."""
    return _load(config.data_dir, 64)


def _load(data_dir: str | None, side: int) -> DataSet:
    name = f"imagenet{side}"
    there = CATALOGUE[name].published(data_dir)
    if data_dir is None or there is None:
        builder = prepared_builder(name, data_dir)
        train, test = (builder_source(builder, split, (side, side, 3)) for split in ("train", "validation"))
        return published_images(name, train, test)
    layout, first = there
    if first.suffix == ".npz":
        train = _npz_source(f"{name}-train", Path(data_dir), layout, layout.train[0], side)
        test = _npz_source(f"{name}-val", Path(data_dir), layout, layout.held_out[0], side)
    else:
        train, test = (_folder_source(name, part, side) for part in (first, beside(first, layout.held_out[0])))
    return published_images(name, train, test)


def _npz_source(name: str, root: Path, layout: Layout, pattern: str, side: int) -> Source:
    """The rows of those files that are of this size: 32x32 and 64x64 have files of the same names."""
    files = look_for_all(root, pattern)
    values = 3 * side * side
    shapes = {file: _shape(file) for file in sorted(files, key=lambda file: (len(file.name), file.name))}
    sizes = {file: shape[0] for file, shape in shapes.items() if shape[1] == values}
    wanted = f"{layout.train[0]} and {layout.held_out[0]} with rows of {values} values"
    if not sizes:
        found = f", but rows of {next(iter(shapes.values()))[1]}" if shapes else ""
        raise UserError(f"{name} is not in {root}{found}: expected {wanted}")
    if len({file.name for file in sizes}) < len(sizes):
        raise UserError(f"{root} has two files of one name for {name}, expected one set of {wanted}")

    def items(start: int) -> Iterator[tuple[str, np.ndarray]]:
        for file, size in sizes.items():
            for number, row in enumerate(npz_rows(file, "data", start) if start < size else (), start=start):
                yield f"{file.name}/{number}", row
            start = max(0, start - size)

    return Source(
        name=name,
        identity=["rows", files_digest(root, [str(file.relative_to(root)) for file in sizes])],
        size=sum(sizes.values()),
        channels=3,
        items=items,
        # A row holds all red values, then all green, then all blue.
        image=lambda row: row.reshape(3, side, side).transpose(1, 2, 0),
    )


def _shape(file: Path) -> tuple[int, ...]:
    shape, dtype = npz_headers(file).get("data", ((), "no array"))
    if len(shape) != 2 or dtype != "uint8":
        raise UserError(f"{file} has data of {dtype} {shape}, expected uint8 (n, values)")
    return shape


def _folder_source(name: str, folder: Path, side: int) -> Source:
    def image(picture: Image.Image) -> np.ndarray:
        if picture.size != (side, side):
            raise UserError(f"has {picture.size[0]}x{picture.size[1]} pixels, expected {side}x{side}")
        return pixels(picture)

    return picture_source(f"{name}-{folder.name}", folder, list_pictures(folder), f"{side}x{side} only", image, 3)
