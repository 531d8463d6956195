"""ImageNet downsampled to 32x32 and 64x64, in the layouts in which people hold it.

The thesis' numbers are of the first such set (van den Oord et al. 2016), folders of PNG files; the .npz files
(Chrabaszcz et al. 2017) were downsampled in another way, and scores on them are a little different.
"""

import zipfile
from pathlib import Path

import numpy as np

from nvp_tf.data.arrays import published_valid_size
from nvp_tf.data.pictures import files_digest, list_pictures, picture_source, pixels
from nvp_tf.data.prepared import PreparedSplit
from nvp_tf.data.preparing import Source, prepare
from nvp_tf.data.split import DataSet
from nvp_tf.data.tfds_images import builder_source, prepared_builder
from nvp_tf.errors import UserError

_CHUNK = 256  # Rows of an .npz file read at once.


def imagenet32(config):
    """32x32 colour photographs; the published validation split is `test`, as in the thesis."""
    return _load(config.data_dir, 32)


def imagenet64(config):
    """64x64 colour photographs; the published validation split is `test`, as in the thesis."""
    return _load(config.data_dir, 64)


def _load(data_dir, side):
    name = f"imagenet{side}"
    root = data_dir and Path(data_dir)
    batches = sorted(root.glob("**/train_data_batch_*.npz")) if root else []
    folder = root and next(root.glob(f"**/train_{side}x{side}"), None)
    if batches:
        sources = [_npz_source(f"{name}-{part}", files, side) for part, files in _npz_files(root, batches).items()]
    elif folder:
        held_out = folder.with_name(f"valid_{side}x{side}")
        if not held_out.is_dir():
            raise UserError(f"{held_out} is missing, expected it beside {folder}")
        sources = [_folder_source(f"{name}-{part.name}", part, side) for part in (folder, held_out)]
    else:
        builder = prepared_builder(name, data_dir)
        sources = [builder_source(builder, split, "none", lambda x: x) for split in ("train", "validation")]
    train, test = (prepare(source) for source in sources)
    rows = np.arange(train.size)
    valid = published_valid_size(train.size)
    return DataSet(
        name=name,
        event_shape=(side, side, 3),
        levels=256,
        train=PreparedSplit(train, side, rows[:-valid]),
        valid=PreparedSplit(train, side, rows[-valid:]),
        test=PreparedSplit(test, side),
    )


def _npz_files(root, batches):
    held_out = next(root.glob("**/val_data.npz"), None)
    if held_out is None:
        raise UserError(f"{root} lacks val_data.npz, expected it beside {batches[0].name}")
    # By number: 10 comes after 9.
    return {"train": sorted(batches, key=lambda f: int(f.stem.rsplit("_", 1)[1])), "val": [held_out]}


def _npz_source(name, files, side):
    sizes = [_npz_rows(file, side) for file in files]

    def items(start):
        for file, size in zip(files, sizes, strict=True):
            if start < size:
                yield from _read_rows(file, start)
            start = max(0, start - size)

    folder = files[0].parent
    digest = files_digest(folder, [str(file) for file in files])
    return Source(name, ["rows", digest], sum(sizes), 3, items, lambda row: _image(row, side))


def _npz_rows(file, side):
    """How many rows a file has, from its header."""
    with _open_data(file) as (shape, dtype, _):
        if len(shape) != 2 or shape[1] != 3 * side * side or dtype != np.uint8:
            raise UserError(f"{file} has data of {dtype} {shape}, expected uint8 (n, {3 * side * side})")
        return shape[0]


def _read_rows(file, start):
    """(name, row) from row `start` on, a few hundred in memory at a time: a file of these has gigabytes."""
    with _open_data(file) as (shape, _, stream):
        stream.seek(start * shape[1], 1)
        for first in range(start, shape[0], _CHUNK):
            count = min(_CHUNK, shape[0] - first)
            data = stream.read(count * shape[1])
            if len(data) < count * shape[1]:
                raise UserError(f"{file} ends within row {first + len(data) // shape[1]}, expected {shape[0]} rows")
            for i, row in enumerate(np.frombuffer(data, np.uint8).reshape(count, -1)):
                yield f"{file.name}/{first + i}", row


class _open_data:
    """(shape, dtype, stream at the first value) of the array `data` in an .npz file, without reading it."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        try:
            self.zip = zipfile.ZipFile(self.file)
            self.stream = self.zip.open("data.npy")
            version = np.lib.format.read_magic(self.stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, column_major, dtype = read(self.stream)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(f"{self.file} cannot be read: {' '.join(str(error).split())}") from None
        if column_major:
            raise UserError(f"{self.file} has data in column-major order, expected row-major")
        return shape, dtype, self.stream

    def __exit__(self, *_):
        self.stream.close()
        self.zip.close()


def _image(row, side):
    """uint8 [side, side, 3] of a row that holds all red values, then all green, then all blue."""
    return row.reshape(3, side, side).transpose(1, 2, 0)


def _folder_source(name, folder, side):
    def image(picture):
        if picture.size != (side, side):
            raise UserError(f"has {picture.size[0]}x{picture.size[1]} pixels, expected {side}x{side}")
        return pixels(picture)

    return picture_source(name, folder, list_pictures(folder), f"{side}x{side} only", image, 3)
