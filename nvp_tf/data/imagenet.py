"""ImageNet downsampled to 32x32 and 64x64, in the layouts in which people hold it.

The thesis' numbers are of the first such set (van den Oord et al. 2016): folders of PNG files, in tensorflow_datasets
`downsampled_imagenet`. The .npz files (Chrabaszcz et al. 2017), in tensorflow_datasets `imagenet_resized`, were
downsampled in another way, and scores on them are not to be compared with those.
"""

from pathlib import Path

from nvp_tf.data.catalogue import beside, look, look_for_all
from nvp_tf.data.npz_rows import npz_headers, npz_rows
from nvp_tf.data.picture_source import files_digest, picture_source
from nvp_tf.data.preparing import Source
from nvp_tf.data.published import published_images
from nvp_tf.data.tfds_images import builder_source, prepared_builder
from nvp_tf.errors import UserError
from nvp_tf.pictures.files import list_pictures, pixels


def imagenet32(config):
    """32x32 colour photographs; the published validation split is `test`, as in the thesis."""
    return _load(config.data_dir, 32)


def imagenet64(config):
    """64x64 colour photographs; the published validation split is `test`, as in the thesis."""
    return _load(config.data_dir, 64)


def _load(data_dir, side):
    name = f"imagenet{side}"
    folder = look(data_dir, f"train_{side}x{side}")
    batches = look_for_all(data_dir, "train_data_batch_*.npz")
    if folder:
        parts = folder, beside(folder, f"valid_{side}x{side}")
        train, test = (_folder_source(name, part, side) for part in parts)
    elif batches:
        held_out = look_for_all(data_dir, "val_data.npz")
        parts = {f"{name}-train": batches, f"{name}-val": held_out}
        train, test = (_npz_source(part, Path(data_dir), files, side) for part, files in parts.items())
    else:
        builder = prepared_builder(name, data_dir)
        train, test = (builder_source(builder, split, (side, side, 3)) for split in ("train", "validation"))
    return published_images(name, train, test)


def _npz_source(name, root, files, side):
    """The rows of those of `files` that are of this size: 32x32 and 64x64 have files of the same names."""
    values = 3 * side * side
    shapes = {file: _shape(file) for file in sorted(files, key=lambda file: (len(file.name), file.name))}
    sizes = {file: shape[0] for file, shape in shapes.items() if shape[1] == values}
    wanted = f"train_data_batch_*.npz and val_data.npz with rows of {values} values"
    if not sizes:
        found = f", but rows of {next(iter(shapes.values()))[1]}" if shapes else ""
        raise UserError(f"{name} is not in {root}{found}: expected {wanted}")
    if len({file.name for file in sizes}) < len(sizes):
        raise UserError(f"{root} has two files of one name for {name}, expected one set of {wanted}")

    def items(start):
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


def _shape(file):
    shape, dtype = npz_headers(file).get("data", ((), "no array"))
    if len(shape) != 2 or dtype != "uint8":
        raise UserError(f"{file} has data of {dtype} {shape}, expected uint8 (n, values)")
    return shape


def _folder_source(name, folder, side):
    def image(picture):
        if picture.size != (side, side):
            raise UserError(f"has {picture.size[0]}x{picture.size[1]} pixels, expected {side}x{side}")
        return pixels(picture)

    return picture_source(f"{name}-{folder.name}", folder, list_pictures(folder), f"{side}x{side} only", image, 3)
