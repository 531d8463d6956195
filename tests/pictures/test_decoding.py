"""One rule for what a picture file becomes: in scoring, where it is exact or fitted, and in training on a folder."""

import numpy as np
import pytest
from PIL import Image, features

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.pictures.decoding import Fit, to_levels
from nvp_tf.pictures.files import suffixes
from nvp_tf.scoring import inputs
from nvp_tf.scoring.pictures import fit_of_flags

SIDE = 8
BLUE = (0, 0, 255)
COLOUR, GREY = Event((SIDE, SIDE, 3), 256), Event((SIDE, SIDE, 1), 256)
Y, X = np.mgrid[:SIDE, :SIDE]
RGB = np.stack([X * 30, Y * 30, 200 - X * 10], -1).astype(np.uint8)
WHERE = X < 4  # opaque
HALF = np.where(WHERE, 255, 0).astype(np.uint8)
HIDDEN = np.where(WHERE[..., None], RGB, [255, 0, 255]).astype(np.uint8)
DEEP = (Y * SIDE + X).astype(np.uint16) * 1040


def grey(rgb):
    """As Pillow weighs colours."""
    return np.asarray(Image.fromarray(rgb).convert("L"))


def over(colour, rgb=RGB):
    return np.where(WHERE[..., None], rgb, colour).astype(np.uint8)


def three(array):
    return np.dstack([array.astype(np.uint8)] * 3)


def images(*frames):
    return [Image.fromarray(frame) for frame in frames]


def moving(form):
    first, second = images(RGB, 255 - RGB)
    return lambda file: first.save(file, form, save_all=True, append_images=[second], lossless=True)


def saved(array, **options):
    return lambda file: Image.fromarray(array).save(file, **options)


def palette(file, **options):
    Image.fromarray(np.where(WHERE, 0, 1).astype(np.uint8)).save(file)  # the pixels; then their colours
    picture = Image.fromarray(np.where(WHERE, 0, 1).astype(np.uint8))
    picture.putpalette([10, 20, 30, 255, 0, 255])
    picture.save(file, **options)


def turned(file):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).transpose(Image.Transpose.ROTATE_90).save(file, exif=exif)


TWO = np.where(WHERE[..., None], (10, 20, 30), (255, 0, 255)).astype(np.uint8)
EXACT = {  # name: (how it is written, the RGB that it has); lossless, and read as it is
    **{f"plain.{kind}": (saved(RGB), RGB) for kind in ("png", "ppm", "bmp", "tiff", "tga", "qoi")},
    "plain.webp": (saved(RGB, lossless=True), RGB),
    "moving.apng": (moving("PNG"), RGB),
    "moving.tif": (moving("TIFF"), RGB),
    "palette.png": (palette, TWO),
    "moving.gif": (lambda file: palette(file, save_all=True, append_images=images(RGB)), TWO),
    "turned.png": (turned, RGB),
    "other_name.bmp": (saved(RGB, format="PNG"), RGB),
    "UPPER.PNG": (saved(RGB), RGB),
}
FITTED = {  # name: (how it is written, why it is not exact, its RGB over white, its RGB over blue)
    "rgba.png": (saved(np.dstack([HIDDEN, HALF])), "has transparency", over(255), over(BLUE)),
    "rgba.webp": (saved(np.dstack([HIDDEN, HALF]), lossless=True), "has transparency", over(255), over(BLUE)),
    "la.png": (saved(np.dstack([RGB[..., 0], HALF])), "has transparency", over(255, three(RGB[..., 0])),
               over(BLUE, three(RGB[..., 0]))),
    "p.png": (lambda file: palette(file, transparency=1), "has transparency", over(255, TWO), over(BLUE, TWO)),
    "p.gif": (lambda file: palette(file, transparency=1), "has transparency", over(255, TWO), over(BLUE, TWO)),
    "key.png": (saved(HIDDEN, transparency=(255, 0, 255)), "has transparency", over(255), over(BLUE)),
    "faint.png": (saved(np.dstack([np.zeros_like(RGB), np.full_like(HALF, 51)])), "has transparency",
                  np.full_like(RGB, 204), np.full_like(RGB, [0, 0, 204])),
    "grey.png": (saved(RGB[..., 0]), "has mode L, expected RGB", *[three(RGB[..., 0])] * 2),
    "deep.png": (saved(DEEP), "has mode I;16", *[three(DEEP >> 8)] * 2),
    "deep.tiff": (saved(DEEP), "has mode I;16", *[three(DEEP >> 8)] * 2),
    "deep.pgm": (saved(DEEP), "has mode I", *[three(DEEP >> 8)] * 2),
    "deep_key.png": (saved(np.where(WHERE, DEEP, 999).astype(np.uint16), transparency=999), "has transparency",
                     over(255, three(DEEP >> 8)), over(BLUE, three(DEEP >> 8))),
}  # fmt: skip
LOSSY = {"plain.jfif": {"format": "JPEG", "quality": 95}, "plain.avif": {}, "plain.jp2": {}}
BROKEN = {
    "cut.png": "cannot be read: image file is truncated",
    "empty.tiff": "cannot be read: cannot identify",
    "float.tiff": "has pixels that are floats, expected a deep_range",
    "large.tiff": "has pixels from 0 to 70000, expected 0 to 65535 or another deep_range",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for name, (write, *_) in (EXACT | FITTED).items():
        write(root / name)
    for name, options in LOSSY.items():
        Image.fromarray(RGB).save(root / name, **options)
    (root / "cut.png").write_bytes((root / "plain.png").read_bytes()[:-30])
    (root / "empty.tiff").touch()
    Image.fromarray(DEEP.astype(np.float32)).save(root / "float.tiff")
    Image.fromarray(np.full((SIDE, SIDE), 70_000, np.int32) * (X > 0)).save(root / "large.tiff")
    return root


def scored(root, event, fit=None):
    """{name: pixels, or why there are none}."""
    found = inputs.find([str(root)])
    items = list(inputs.stream(found.files, event, fit))
    assert not found.passed
    return {item.name.rpartition("/")[2]: item.error or item.value for item in items}


def trained_on(root, **keys):
    """The same of a folder that is trained on."""
    data = load_dataset(DataConfig("folder", str(root), size=SIDE, **keys))
    images = data.train._images
    rows = np.arange(images.size)
    pixels = dict(zip(images.names(), images.windows(rows, np.zeros((len(rows), 2), int), (SIDE, SIDE)), strict=True))
    assert data.about["pictures"] == len(pixels)
    return pixels | data.about["passed_over_files"]


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, str):
            assert isinstance(found[name], str) and value in found[name], name
        else:
            np.testing.assert_array_equal(found[name], value, name)


def test_exact(folder):
    expected = {name: rgb for name, (_, rgb) in EXACT.items()}
    expected |= {name: why for name, (_, why, *_) in FITTED.items()} | BROKEN
    expected |= {"float.tiff": "has mode F, expected RGB", "large.tiff": "has mode I, expected RGB"}
    found = scored(folder, COLOUR)
    for name in LOSSY:
        np.testing.assert_allclose(found.pop(name).astype(float), RGB, atol=40, err_msg=name)
    same(found, expected)


@pytest.mark.parametrize("background", ["white", "#00f"])
def test_fitted_in_scoring_and_in_training(folder, background, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    which = 2 if background == "white" else 3
    expected = {name: rgb for name, (_, rgb) in EXACT.items()} | {name: row[which] for name, row in FITTED.items()}
    found = scored(folder, COLOUR, Fit.of_words(background))
    for name in LOSSY:
        expected[name] = found[name]
    same(found, expected | BROKEN)
    same(trained_on(folder, background=background), expected | BROKEN)
    if background == "white":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        few = {name: to_levels(grey(rgb)[..., None], 17) for name, rgb in expected.items()} | BROKEN
        same(scored(folder, Event((SIDE, SIDE, 1), 17), Fit()), few)
        same(trained_on(folder, grey=True, levels=17), few)


def test_another_range(folder):
    found = scored(folder, COLOUR, Fit.of_words("white", "0,4095"))
    for name in ("deep.png", "deep.tiff"):
        np.testing.assert_array_equal(found[name], three(np.minimum(DEEP >> 4, 255)))
    np.testing.assert_array_equal(found["deep.pgm"], three(DEEP >> 8))  # which has its own
    np.testing.assert_array_equal(found["float.tiff"], three(np.minimum(DEEP * (256 / 4095), 255).astype(np.uint8)))
    assert found["large.tiff"].max() == 255
    np.testing.assert_array_equal(found["plain.png"], RGB)


@pytest.mark.parametrize("levels", [2, 17, 32, 200, 256])
def test_levels(tmp_path, levels):
    """What is drawn of levels is brought back to them, and is refused where nothing is to be brought."""
    x = np.resize(np.arange(levels), (16, 16)).astype(np.uint8)
    event = Event((16, 16, 1), levels)
    saved(np.rint(x * (255 / (levels - 1))).astype(np.uint8))(tmp_path / "drawn.png")
    saved(x)(tmp_path / "raw.png")
    fitted, exact = scored(tmp_path, event, Fit()), scored(tmp_path, event)
    np.testing.assert_array_equal(fitted["drawn.png"][..., 0], x)
    np.testing.assert_array_equal(exact["raw.png"][..., 0], x)
    if levels < 256:
        assert exact["drawn.png"] == f"has values up to 255, expected 0 to {levels - 1} (--fit brings it to that)"


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_models_of_other_depths(tmp_path, channels):
    for mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        Image.new(mode, (SIDE, SIDE)).save(tmp_path / f"{mode}.{'tiff' if mode == 'CMYK' else 'png'}")
    for fit in (None, Fit()):
        errors = set(scored(tmp_path, Event((SIDE, SIDE, channels), 256), fit).values())
        assert errors == {f"is a picture, of 1 or 3 channels, expected 8x8x{channels}"}


def test_words():
    assert Fit.of_words("#808080", "-1,1") == Fit((128, 128, 128), (-1, 1))
    for words in (("blak",), ("white", "4095"), ("white", "5,5"), ("white", "0,inf"), ("white", "a,b")):
        with pytest.raises(UserError, match=f"is '{words[-1]}', expected"):
            Fit.of_words(*words)
    assert fit_of_flags(False, None, None) is None and fit_of_flags(True, None, None) == Fit()
    with pytest.raises(UserError, match="deep_range is '0,9', expected none without --fit"):
        fit_of_flags(False, None, "0,9")


def test_what_pillow_reads():
    assert features.check("avif") and features.check("webp")
    names = ".gif .tiff .tif .avif .jfif .ppm .pgm .webp .bmp .apng .png .jpg .jpeg .jp2 .tga .ico"
    assert set(names.split()) < set(suffixes())
    assert not {".eps", ".ps", ".pdf", ".mpg", ".h5", ".wmf", ".txt"} & set(suffixes())
