"""Files of every kind give the values that are in them; what is wrong with one is an Item, and the rest go on."""

import gzip
import io
import os
import re
import struct
import tempfile
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from PIL import Image

from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.pictures.decoding import Fit
from nvp_tf.scoring import inputs

GREY, COLOUR, VECTOR = Event((5, 4, 1), 256), Event((5, 4, 3), 256), Event((3,))
RANDOM = np.random.RandomState(0)
VALUES = {
    GREY: RANDOM.randint(0, 256, (6, 5, 4, 1)).astype(np.uint8),
    COLOUR: RANDOM.randint(0, 256, (6, 5, 4, 3)).astype(np.uint8),
    VECTOR: RANDOM.normal(size=(6, 3)).astype(np.float32),
}


def png(value, **options):
    file = io.BytesIO()
    Image.fromarray(np.squeeze(value)).save(file, "PNG", **options)
    return file.getvalue()


def example(**features):
    kinds = {bytes: ("bytes_list", tf.train.BytesList), int: ("int64_list", tf.train.Int64List)}
    made = {}
    for name, values in features.items():
        kind, make = kinds.get(type(values[0]), ("float_list", tf.train.FloatList))
        made[name] = tf.train.Feature(**{kind: make(value=values)})
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


def tfrecord(file, records, compression=""):
    with tf.io.TFRecordWriter(str(file), compression) as writer:
        for record in records:
            writer.write(record)


def npy(file, values):
    np.save(file, values)


def npz(file, values):
    np.savez_compressed(file, values)


def npz_beside_labels(file, values):
    np.savez(file, labels=np.arange(6), x=values)


def npz_fortran(file, values):
    np.savez(file, np.asfortranarray(values))


def npz_big_endian(file, values):
    np.savez_compressed(file, values.astype(">i2" if values.dtype == np.uint8 else ">f4"))


def npz_beside_what_has_no_rows(file, values):
    with open(file, "wb") as stream:  # whatever it is called
        np.savez(stream, images=values, count=6, names=np.array(["a", None, "b", "c", "d", "e"], object), of="me")


def npy_fortran_big_endian(file, values):
    with open(file, "wb") as stream:
        np.save(stream, np.asfortranarray(values.astype(">i4" if values.dtype == np.uint8 else ">f8")))


def int64(file, values):
    np.save(file, values.astype(np.int64))


def without_channels(file, values):
    np.save(file, values[..., 0])


def encoded_records(file, values):
    tfrecord(file, [example(image=[png(value)], label=[1]) for value in values])


def raw_records(file, values):
    tfrecord(file, [example(image=[value.tobytes()]) for value in values], "GZIP" if file.suffix == ".gz" else "")


def listed_records(file, values):
    name = "image" if values.dtype == np.uint8 else "x"
    tfrecord(file, [example(**{name: value.ravel().tolist()}) for value in values])


def object_detection_records(file, values):
    records = [example(**{"image/encoded": [png(v)], "image/height": [5], "image/format": [b"png"]}) for v in values]
    tfrecord(file, records, "ZLIB" if "zlib" in file.name else "")


def image_raw_records(file, values):
    tfrecord(file, [example(image_raw=[v.tobytes()], label=[1]) for v in values], "GZIP" if "gz" in file.name else "")


def encoded_parquet(file, values):
    pq.write_table(pa.table({"label": [0] * 6, "image": [png(value) for value in values]}), file, row_group_size=4)


def hugging_face_parquet(file, values):
    pq.write_table(pa.table({"img": [{"bytes": png(value), "path": None} for value in values]}), file)


def listed_parquet(file, values):
    pq.write_table(pa.table({"image" if values.dtype == np.uint8 else "x": values.tolist()}), file)


def csv(file, values):
    np.savetxt(file, values, "%.9g", ",", header="a,b,c", comments="")


GOOD = [
    *[(kind, name, event) for event in VALUES for kind, name in [
        (npy, "x.npy"), (npz, "x.npz"), (npz_beside_labels, "x.npz"), (listed_records, "x.tfrecord-00000-of-00002"),
        (listed_parquet, "x.parquet"), (npz_fortran, "x.npz"), (npz_big_endian, "x.npz"),
        (npz_beside_what_has_no_rows, "x"), (npy_fortran_big_endian, "x.data"),
        (listed_records, "train-00000-of-00001"),
    ]],
    *[(kind, name, event) for event in (GREY, COLOUR) for kind, name in [
        (int64, "x.npy"), (encoded_records, "x.tfrecord"), (raw_records, "x.tfrecord.gz"),
        (encoded_parquet, "x.parquet"), (hugging_face_parquet, "x"), (object_detection_records, "x.tfrecord"),
        (object_detection_records, "zlib.tfrecord"), (image_raw_records, "gzipped.tfrecord"),
        (image_raw_records, "gz-00001-of-00002"),
    ]],
    (without_channels, "x.npy", GREY),
    (csv, "x.csv", VECTOR),
]  # fmt: skip


def test_pixels_that_could_be_a_picture(tmp_path):
    """A black corner can be the header of a TGA file: one of Fashion-MNIST's 10,000 test images has one."""
    value = np.zeros((5, 4, 1), np.uint8)
    value.reshape(-1)[:18] = [0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 5, 0, 8, 0]
    with Image.open(io.BytesIO(value.tobytes())) as picture:
        assert picture.format == "TGA"
    raw_records(tmp_path / "x.tfrecord", [value])
    [item] = inputs.read(tmp_path / "x.tfrecord", GREY)
    np.testing.assert_array_equal(item.value, value)


@pytest.mark.parametrize(("write", "name", "event"), GOOD)
def test_values_and_names(tmp_path, write, name, event):
    file = str(tmp_path / name)
    write(tmp_path / name, VALUES[event])
    items = list(inputs.read(file, event))
    assert [(item.name, item.error) for item in items] == [(f"{file}:{i}", "") for i in range(6)]
    np.testing.assert_array_equal([item.value for item in items], VALUES[event])
    assert {item.value.dtype for item in items} == {event.dtype}
    assert inputs.count([file], event) in (6, None) and inputs.find([str(tmp_path)]).files == [file]


@pytest.mark.parametrize("name", ["x.tfrecord", "x.parquet"])
def test_the_feature_that_is_named(tmp_path, name):
    file, values = tmp_path / name, VALUES[GREY]
    columns = {"image": [png(v) for v in values[::-1]], "img": [b"none"] * 6, "photo": [v.tobytes() for v in values]}
    if name == "x.parquet":
        pq.write_table(pa.table(columns), file)
    else:
        tfrecord(file, [example(**{key: [of[i]] for key, of in columns.items()}) for i in range(6)])
    for feature, expected in {"photo": values, "image": values[::-1]}.items():
        np.testing.assert_array_equal([item.value for item in inputs.stream([file], GREY, feature=feature)], expected)
    for feature, says in {
        "foto": "s image, img, photo, expected foto",
        None: "s image, img, photo, expected --feature to say which of image, img",
        "img": "has 4 bytes that are no picture, expected one, or the 20 of 5x4x1",
    }.items():
        assert all(says in item.error for item in inputs.read(file, GREY, feature=feature))


def bomb(side):
    """A PNG that says it has side x side pixels, in a hundred bytes."""
    content = b"\x89PNG\r\n\x1a\n"
    for chunk in (b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(bytes(9))):
        content += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return content


def saved(values, save=np.save):
    file = io.BytesIO()
    save(file, values)
    return file.getvalue()


def records(*examples):
    """The bytes of a TFRecord file."""
    with tempfile.NamedTemporaryFile() as file:
        tfrecord(file.name, examples)
        return file.read()


def zipped(name):
    """The bytes of an archive of one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "text")
    return file.getvalue()


IMAGE = VALUES[GREY][0]
TWO = records(*[example(image=[value.tobytes()]) for value in VALUES[GREY][:2]])
BAD = [  # name, content, event, how many good ones, what is said
    ("x.png", png(IMAGE)[:60], GREY, 0, "cannot be read"),
    ("x.png", b"", GREY, 0, "cannot be read"),
    ("x.png", b"GIF89a nonsense", GREY, 0, "cannot be read"),
    ("x.png", bomb(12_000), GREY, 0, "has 12000x12000 pixels, expected at most"),
    ("x.png", bomb(60_000), GREY, 0, "exceeds limit"),
    ("x.png", png(np.zeros((4, 5), np.uint8)), GREY, 0, "has 5x4 pixels, expected 4x5"),
    ("x.png", png(VALUES[COLOUR][0]), GREY, 0, "has mode RGB, expected L"),
    ("x.png", png(IMAGE), COLOUR, 0, "has mode L, expected RGB"),
    ("x.png", png(np.zeros((5, 4), np.uint16)), GREY, 0, "has mode I;16, expected L"),
    ("x.png", png(IMAGE), VECTOR, 0, "is a picture, expected vectors of 3"),
    ("x.txt", b"hello", GREY, 0, "of no known kind"),
    ("x.npy", saved(VALUES[GREY])[:-1], GREY, 0, "cannot be read"),
    ("x.npy", b"", GREY, 0, "cannot be read"),
    ("x.npy", saved(np.array([{}])), GREY, 0, "cannot be read"),
    ("x.npy", saved(VALUES[COLOUR]), GREY, 0, "has shape 5x4x3, expected 5x4x1"),
    ("x.npy", saved(VALUES[GREY] / 255), GREY, 0, "has type float64, expected integers"),
    ("x.npy", saved(VALUES[GREY].astype(int) + 200 * np.eye(6, dtype=int)[1][:, None, None, None]), GREY, 5, "values"),
    ("x.npy", saved(np.where(np.eye(6, 3), np.nan, VALUES[VECTOR])), VECTOR, 3, "nan or infinite"),
    ("x.npy", saved(np.full((1, 3), 1e300)), VECTOR, 0, "nan or infinite"),
    ("x.npz", saved(VALUES[GREY], np.savez)[:200], GREY, 0, "cannot be read"),
    ("x.npz", saved(VALUES[COLOUR], np.savez), GREY, 0, "has shape 5x4x3"),
    ("x.npz", saved(VALUES[COLOUR].transpose(0, 3, 1, 2), np.savez), COLOUR, 0, "channels last: x.transpose(0, 2, "),
    ("x.npz", saved(5, np.savez), GREY, 0, "array arr_0's rows: has none"),
    ("x.npz", saved(np.asfortranarray(VALUES[GREY]), np.savez)[:-200], GREY, 0, "cannot be read"),
    ("x.npy", gzip.compress(saved(VALUES[GREY]), mtime=0), GREY, 0, "does not begin as a .npy file does"),
    ("letter", zipped("word/document.xml"), GREY, 0, "of no known kind by name or content"),
    ("train-00000-of-00001", TWO[:8], GREY, 0, "of no known kind"),
    ("x.tfrecord", TWO[:-3], GREY, 1, "damaged after 1 records"),
    ("x.tfrecord", TWO[:-40] + b"x" + TWO[-39:], GREY, 1, "damaged after 1 records"),
    ("x.tfrecord", TWO[: len(TWO) // 2 + 5], GREY, 1, "damaged after 1 records: it is truncated"),
    ("x.tfrecord", b"not a record at all", GREY, 0, "damaged"),
    ("x.tfrecord.gz", gzip.compress(TWO, mtime=0)[:30], GREY, 0, "damaged"),
    ("x.tfrecord", records(b"\xff\xff", example(image=[IMAGE.tobytes()])), GREY, 1, "no tf.train.Example"),
    ("x.tfrecord", records(example(label=[1])), GREY, 0, "has features label, expected one of image"),
    ("x.tfrecord", records(example(image=[1, 2, 3])), GREY, 0, "has 3 values, expected 5x4x1"),
    ("x.parquet", b"PAR1 nothing PAR1", GREY, 0, "cannot be read"),
    ("x.csv", b"1,2,3\n4,five,6\n7,8\n9,10,11\n", VECTOR, 2, "has 'five', expected a number"),
    ("x.csv", b"1,2,3\n", GREY, 0, "a table of numbers"),
    ("x.png", png(IMAGE), Event((5, 4, 2), 256), 0, "is a picture, of 1 or 3 channels, expected 5x4x2"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "event", "good", "says"), BAD)
def test_what_is_wrong_is_an_item(tmp_path, name, content, event, good, says):
    (tmp_path / name).write_bytes(content)
    items = list(inputs.read(str(tmp_path / name), event))
    errors = [item.error for item in items if item.error]
    assert len(items) - len(errors) == good
    assert says in errors[0] and not re.search(r"\n|node|OpError| at 0x", errors[0]), errors


def test_pictures_are_brought_to_size_only_when_asked(tmp_path):
    for name, shape in {"wide": (40, 90, 3), "tall": (90, 40, 3), "small": (2, 2, 3)}.items():
        Image.fromarray(np.full(shape, (250, 10, 10), np.uint8)).save(tmp_path / f"{name}.png")
    items = list(inputs.stream(inputs.find([str(tmp_path)]).files, COLOUR, Fit()))
    assert [item.error for item in items] == [""] * 3
    assert {(item.value.shape, *item.value[0, 0]) for item in items} == {((5, 4, 3), 250, 10, 10)}


def test_words_lead_to_files(tmp_path):
    for name in ("b.png", "a/c.jpg", "a/d.npy", "a/notes.md", ".hidden/e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "a" / "pipe")
    found = {
        str(tmp_path): ["a/c.jpg", "a/d.npy", "b.png"],
        str(tmp_path / "**/*.*g"): ["a/c.jpg", "b.png"],
        str(tmp_path / "a/notes.md"): ["a/notes.md"],
    }
    for word, names in found.items():
        assert inputs.find([word]).files == [str(tmp_path / name) for name in names]
    for word in ("nothing", str(tmp_path / "*.tif"), str(tmp_path / ".hidden/x")):
        with pytest.raises(UserError, match="is not there"):
            inputs.find([str(tmp_path), word])


def test_the_order_is_that_of_the_words(tmp_path):
    for i in range(100):
        (tmp_path / f"{i:03}.png").write_bytes(png(IMAGE))
    np.save(tmp_path / "050x.npy", VALUES[GREY])
    files = inputs.find([str(tmp_path)]).files
    names = [item.name for item in inputs.stream(files, GREY)]
    assert names == sorted(names) and len(names) == 106 == inputs.count(files, GREY)
