"""A person's own pictures: which are read, how they become examples, and which are held out."""

import hashlib
import shutil

import numpy as np
import pytest
from PIL import Image

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.pipeline import evaluation_batches, training_batches
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError


def picture(i, height=40, width=48):
    """Smooth, so that JPEG and resizing change little; another for each i."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 4 % 256, y * 5 % 256, np.full_like(x, i * 7 % 256)], axis=-1).astype(np.uint8)


def make(folder, n=20, names="{:03}.png", **size):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        file = folder / names.format(i)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(i, **size)).save(file)
    return folder


def everything(split):
    return np.concatenate([x.numpy() for x in evaluation_batches(split, 7)])


def parts(root, **keys):
    data = load_dataset(DataConfig("folder", str(root), **keys))
    return {part: everything(getattr(data, part)) for part in ("train", "valid", "test")}


def hashed(names):
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def test_centre_crops_and_the_part_held_out_by_name(tmp_path):
    got = parts(make(tmp_path / "in"), size=32, resize=40)
    names = hashed([f"{i:03}.png" for i in range(20)])
    for part, expected in (("test", names[:2]), ("valid", names[2:4]), ("train", names[4:])):
        numbers = sorted(int(name[:3]) for name in expected)
        assert (got[part] == np.stack([picture(i)[4:36, 8:40] for i in numbers])).all()


@pytest.mark.parametrize("size", [(40, 40), (20, 30), (300, 200), (1, 3)])
def test_any_size_is_brought_to_one(tmp_path, size):
    height, width = size
    got = parts(make(tmp_path / "in", n=3, height=height, width=width), size=16)
    scale = 16 / min(size)
    whole = [Image.fromarray(picture(i, height, width)) for i in range(3)]
    whole = [x.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR) for x in whole]
    expected = []
    for image in map(np.asarray, whole):
        top, left = (image.shape[0] - 16) // 2, (image.shape[1] - 16) // 2
        expected.append(image[top : top + 16, left : left + 16].tobytes())
    assert sorted(x.tobytes() for images in got.values() for x in images) == sorted(expected)


def test_random_crops_are_windows_that_go_by_the_seed(tmp_path):
    root = make(tmp_path / "in", n=10)
    data = load_dataset(DataConfig("folder", str(root), size=8, resize=40, crop="random", crops=30))
    assert [data.train.size, data.valid.size, data.test.size] == [240, 30, 30]
    test = everything(data.test)
    assert (test == everything(data.test)).all() and len({x.tobytes() for x in test}) > 25
    epoch = next(iter(training_batches(data.train, 240, seed=1)))["x"].numpy()
    again = next(iter(training_batches(data.train, 240, seed=1)))["x"].numpy()
    other = next(iter(training_batches(data.train, 240, seed=2)))["x"].numpy()
    assert (epoch == again).all() and (epoch != other).any()
    number = {i * 7: i for i in range(10)}
    assert np.bincount([number[crop[0, 0, 2]] for crop in epoch], minlength=10).max() == 30
    corners = set()
    for crop in [*epoch, *test]:
        left, top = crop[0, 0, 0] // 4, crop[0, 0, 1] // 5
        assert (crop == picture(number[crop[0, 0, 2]])[top : top + 8, left : left + 8]).all()
        corners.add((top, left))
    assert {top for top, _ in corners} == set(range(33)) and {left for _, left in corners} == set(range(41))


def formats(i):
    """(file name, picture that is written there, RGB that is to be read)."""
    rgb = picture(i, 16, 16)
    alpha = np.dstack([rgb, np.full((16, 16), 9, np.uint8)])
    over_white = np.rint(255 + (rgb - 255.0) * 9 / 255).astype(np.uint8)
    grey = rgb[..., 0]
    return [
        ("a.PNG", Image.fromarray(rgb), rgb),
        ("alpha.png", Image.fromarray(alpha), over_white),
        ("grey.png", Image.fromarray(grey), np.dstack([grey] * 3)),
        ("deep.png", Image.fromarray(grey.astype(np.uint16) * 256 + 7), np.dstack([grey] * 3)),
        ("palette.png", Image.fromarray(grey).convert("P"), np.dstack([grey] * 3)),
        ("b.bmp", Image.fromarray(rgb), rgb),
        ("deep/er/c.png", Image.fromarray(rgb), rgb),
    ]


@pytest.mark.parametrize("grey", [False, True])
def test_formats_and_depths(tmp_path, grey):
    expected = []
    for name, image, rgb in formats(3):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "in" / name)
        expected.append(np.asarray(Image.fromarray(rgb).convert("L"))[..., None] if grey else rgb)
    got = parts(tmp_path / "in", size=16, grey=grey)
    assert sorted(x.tobytes() for x in np.concatenate(list(got.values()))) == sorted(x.tobytes() for x in expected)


def test_jpeg_is_as_pillow_decodes_it_and_upright(tmp_path):
    root = make(tmp_path / "in", n=3, names="{}.jpg")
    expected = [np.asarray(Image.open(root / f"{i}.jpg"))[:, 4:44] for i in range(3)]
    turned = Image.open(root / "0.jpg").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # "The 0th row is at the right": to be turned by 270 degrees.
    turned.save(root / "0.png", exif=exif)
    (root / "0.jpg").unlink()
    got = np.concatenate(list(parts(root, size=40).values()))
    assert sorted(x.tobytes() for x in got) == sorted(x.tobytes() for x in expected)


def test_what_is_no_picture_is_skipped_and_named(tmp_path, capsys, own_cache):
    root = make(tmp_path / "in", n=5)
    (root / "cut.png").write_bytes((root / "001.png").read_bytes()[:60])
    Image.fromarray(picture(9)).save(root / "cut.jpg")
    (root / "cut.jpg").write_bytes((root / "cut.jpg").read_bytes()[:-200])
    (root / "empty.jpeg").write_bytes(b"")
    (root / "text.png").write_text("not a picture")
    (root / "notes.txt").write_text("not looked at")
    (root / ".hidden.png").write_text("not looked at")
    got = parts(root, size=32)
    assert sum(map(len, got.values())) == 5
    [line] = [line for line in capsys.readouterr().err.splitlines() if "skipped" in line]
    assert "folder: skipped 4 of 9 (cut.jpg: cannot be read" in line and "and 1 more" in line
    [journal] = own_cache.glob("folder-*/items.jsonl")
    assert all(name in journal.read_text() for name in ("cut.png", "cut.jpg", "empty.jpeg", "text.png"))


@pytest.mark.parametrize(
    ("folders", "sizes"),
    [
        ({"train": 20, "test": 3}, (18, 2, 3)),
        ({"train": 20, "val": 4, "test": 3}, (20, 4, 3)),
        ({"train": 20, "valid": 4}, (18, 2, 4)),
        ({"train": 20, "other": 10}, (24, 3, 3)),
        ({"cats": 7, "dogs": 4}, (9, 1, 1)),
    ],
)
def test_folders_that_are_splits(tmp_path, folders, sizes):
    for name, n in folders.items():
        make(tmp_path / "in" / name, n)
    assert tuple(len(images) for images in parts(tmp_path / "in", size=8).values()) == sizes


def test_a_file_that_is_added_moves_hardly_any(tmp_path):
    root = make(tmp_path / "in", n=30, height=16, width=16)
    before = parts(root, size=16)
    Image.fromarray(picture(31, 16, 16)).save(root / "new.png")
    after = parts(root, size=16)
    was = {x.tobytes(): part for part, images in before.items() for x in images}
    now = {x.tobytes(): part for part, images in after.items() for x in images}
    assert len(now) == 31 and sum(was[x] != now[x] for x in was) <= 2


@pytest.mark.parametrize(
    ("n", "message"),
    [
        (None, "in cannot be read: No such file or directory, expected a folder"),
        (0, "in has 0 pictures that can be read and none for train, valid, test, expected at least 3"),
        (2, "in has 2 pictures that can be read and none for train, expected at least 3"),
    ],
)
def test_too_little(tmp_path, n, message):
    if n is not None:
        make(tmp_path / "in", n)
    with pytest.raises(UserError, match=message):
        parts(tmp_path / "in")


def test_no_data_dir():
    with pytest.raises(UserError, match="folder needs a data_dir, expected the directory of your pictures"):
        load_dataset(DataConfig("folder"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"name": "mnist", "size": 28}, "size is 28, expected none: only folder takes it"),
        ({"name": "mnist", "grey": True}, "grey is True, expected none"),
        ({"size": 64, "resize": 32}, "resize is 32, expected 0 or at least the size, 64"),
        ({"crops": 5}, "crops is 5, expected 1 with crop 'centre'"),
        ({"crop": "middle"}, "crop is 'middle', expected one of centre, random"),
        ({"size": 1}, "size is 1, expected 2 to 1024"),
    ],
)
def test_settings(keys, message):
    with pytest.raises(UserError, match=message):
        DataConfig(**{"name": "folder", "data_dir": "x"} | keys)


def test_a_moved_folder_is_not_prepared_again(tmp_path, own_cache):
    root = make(tmp_path / "in")
    before = parts(root)
    shutil.move(root, tmp_path / "moved")
    assert all((images == before[part]).all() for part, images in parts(tmp_path / "moved").items())
    assert len(list(own_cache.iterdir())) == 1
