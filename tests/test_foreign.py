"""The p-value `foreign` is valid, alone and of groups; what it is made of, against independent code."""

import csv
import itertools

import numpy as np
import pytest
import tensorflow as tf
from commands import digits_export, figures
from PIL import Image

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.registry import load_dataset
from nvp_tf.evaluation.appearance import Appearance
from nvp_tf.evaluation.code_length import code_length
from nvp_tf.evaluation.foreign import Examples, Foreign
from nvp_tf.event import Event
from nvp_tf.scoring.groups import changed


def by_pixels(image, levels):
    """`code_length` of one image, pixel by pixel."""
    height, width, channels = image.shape

    def at(row, column, channel):
        inside = row >= 0 and 0 <= column < width
        return int(image[row, column, channel]) if inside else 0

    plain, between, activity = [], [], []
    for row in range(height):
        for column in range(width):
            errors = []
            for c in range(channels):
                w, n, nw = at(row, column - 1, c), at(row - 1, column, c), at(row - 1, column - 1, c)
                ne = at(row - 1, column + 1, c)
                errors.append(int(image[row, column, c]) - sorted([w, n, w + n - nw])[1])
                activity.append(abs(w - nw) + abs(nw - n) + abs(n - ne))
            plain += errors
            between += np.diff(errors, prepend=0).tolist()

    def code(errors):
        bits, edges = 0.0, [-1, 0, 1 / 64, 1 / 16, 1 / 4, np.inf]
        for low, high in itertools.pairwise(edges):
            sizes = [abs(e) for e, a in zip(errors, activity, strict=True) if low < a / (levels - 1) <= high]
            n, k = len(sizes), np.count_nonzero(sizes)
            share, s = (k + 0.5) / (n + 1), sum(sizes) - k
            m = (s + levels / 10) / (k + 1)
            bits -= k * np.log2(share) + (n - k) * np.log2(1 - share)
            bits += k * (1 + np.log2(1 + m)) + s * np.log2(1 + 1 / m)
        return bits

    return min(code(plain), code(between))


@pytest.mark.parametrize("shape, levels", [((8, 8, 1), 17), ((5, 7, 3), 256), ((4, 6, 2), 2)])
def test_code_length(shape, levels):
    rng = np.random.default_rng(0)
    ramp = np.broadcast_to(np.linspace(0, levels - 1, shape[0])[:, None, None], shape)
    flat, noise = np.full(shape, levels - 1), rng.integers(0, levels, shape)
    half = np.where(np.arange(shape[1])[:, None] < 3, 0, noise)
    images = np.stack([flat, ramp, half, noise]).astype(np.uint8)
    found = code_length(tf.cast(images, tf.float32), levels).numpy()
    np.testing.assert_allclose(found, [by_pixels(image, levels) for image in images], rtol=1e-4)
    assert (np.diff(found) > 0).all()


def test_appearance_is_a_density():
    """Of data in the plane that fills it: -2 log p is that of a normal, and the density's mass is 1."""
    rng, event = np.random.default_rng(0), Event((2,), reals="float64")
    x = rng.normal(size=(4000, 2)) * [3.0, 0.5] + [1e6, 0.0]
    appearance = Appearance.fit(event, x)
    truth = 0.5 * ((x - x.mean(axis=0)) ** 2 / x.var(axis=0)).sum(axis=1) + np.log(2 * np.pi)
    found = 2 * appearance.surprise(tf.constant(x)).numpy()  # of what is standardized
    assert np.abs(found - truth).mean() < 0.15
    grid = np.stack(np.meshgrid(*[np.linspace(-8, 8, 161)] * 2), axis=-1).reshape(-1, 2) * x.std(axis=0) + x.mean(
        axis=0
    )
    mass = np.exp(-2 * appearance.surprise(tf.constant(grid)).numpy()).sum() * 0.1**2
    assert mass == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("event", [Event((6, 6, 1), 4), Event((3,))])
def test_p_values_are_uniform_on_exchangeable_data(event):
    """Whatever the density was fitted on; and foreign examples, or impossible ones, have none of them."""
    rng = np.random.default_rng(1)

    def drawn(n):
        if event.is_image:
            x = rng.binomial(3, 0.2, (n, *event.shape)).astype(np.uint8)
            return Examples(x, -x.reshape(n, -1).sum(axis=1) - rng.uniform(size=n))
        x = rng.normal(size=(n, 3)).astype(np.float32)
        return Examples(x, -0.5 * (x**2).sum(axis=1))

    foreign = Foreign(event, drawn(60), drawn(399))
    new = drawn(4000)
    p = foreign.p_value(tf.constant(new.x), tf.constant(new.log_prob, tf.float32)).numpy()
    assert p.min() > 0 and p.max() <= 1
    for level in (0.05, 0.25, 0.5, 0.75):  # of one held-out set: it scatters by sqrt(level (1 - level) / 399)
        assert np.mean(p <= level) == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 399))
    far = foreign.p_value(tf.constant(new.x[:3]), tf.constant([-np.inf, np.nan, -1e30], tf.float32)).numpy()
    np.testing.assert_allclose(far, [1 / 400, np.nan, 1 / 400])


def test_groups_are_tested_exactly():
    """Groups of 20 against the same 99 held-out ones, drawn anew each time: exchangeable, or half of them foreign."""
    rng, found = np.random.default_rng(0), {0.0: [], 0.5: []}
    for share, values in found.items():
        for _ in range(500):
            held_out, group = np.sort(rng.uniform(size=99)), rng.uniform(size=20) + 0.7 * (rng.uniform(size=20) < share)
            values.append(changed((100 - np.searchsorted(held_out, group)) / 100, 99))
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(found[0.0]) <= level) <= level + 3 * np.sqrt(level / 500)
    assert np.mean(np.array(found[0.5]) <= 0.05) > 0.9
    assert changed(np.array([np.nan] * 9), 99) < 1e-6 and changed(np.ones(9), 99) == 1


def test_the_command_tells_of_folders(tmp_path):
    """Digits in one folder and constant images in another."""
    model, _ = digits_export()
    digits = load_dataset(DataConfig("digits")).test._array.numpy()[:30, :, :, 0]
    for folder, images in (("own", digits), ("flat", [np.full((8, 8), level % 17, np.uint8) for level in range(20)])):
        (tmp_path / folder).mkdir()
        for i, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / folder / f"{i:02}.png")
    flags = [f"--model={model}", f"--out={tmp_path / 's.csv'}", "--noprogress", "--group_by=folder"]
    printed = figures("score", *flags, tmp_path / "own", tmp_path / "flat")
    flat, own = printed["groups"]
    assert (flat["scored"], own["scored"]) == (20, 30) and flat["group"] == str(tmp_path / "flat")
    assert flat["changed"] < 1e-6 < 0.01 < own["changed"] and flat["foreign_share"] == 1
    with open(tmp_path / "s.groups.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["changed"]) for row in rows] == [flat["changed"], own["changed"]]
    with open(tmp_path / "s.csv", newline="") as file:
        shares = [float(row["foreign"]) < 0.05 for row in csv.DictReader(file)]
    assert printed["foreign_share"] == pytest.approx(np.mean(shares))
