"""Nothing that is given is lost: rows, errors and what is passed over add up to it, in scoring and in training."""

import os

import numpy as np
import pytest
from PIL import Image

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.registry import load_dataset
from nvp_tf.event import Event
from nvp_tf.pictures.decoding import Fit
from nvp_tf.scoring import inputs, scorer
from nvp_tf.scoring.summary import Summary

EVENT = Event((4, 4, 3), 256)
FORMATS = ("png", "jpg", "jfif", "gif", "bmp", "tiff", "ppm", "webp", "avif")


class Tree:
    """A random folder, and how much is in it.

    rows: that can be scored; errors: rows that cannot; beside: what is no row.
    pictures: that can be read; arrays: files of them.
    """

    def __init__(self, root, seed):
        self.rng, self.root, self.number = np.random.default_rng(seed), root, 0
        self.rows = self.errors = self.beside = self.pictures = self.arrays = 0
        root.mkdir()
        for _ in range(5):
            self.picture(root, "png")
        self.fill(root, depth=0)

    def new(self, folder, suffix=""):
        self.number += 1
        return folder / f"{'ABC'[self.number % 3]}{self.number}{suffix}"

    def fill(self, folder, depth):
        kinds = [self.picture, self.damaged, self.array, self.other, self.hidden, self.broken_link, self.linked_file]
        folders = [self.below, self.linked, self.loop, self.hidden_folder] if depth < 2 else []
        for kind in self.rng.choice(kinds + folders, self.rng.integers(4, 10)):
            kind(folder) if kind not in folders else kind(folder, depth)

    def picture(self, folder, form=None):
        form = form or self.rng.choice(FORMATS)
        mode = (
            "RGB" if form in ("jpg", "jfif", "bmp", "ppm", "avif") else self.rng.choice(["RGB", "L", "RGBA", "P", "1"])
        )
        picture = Image.new(mode, tuple(map(int, self.rng.integers(1, 9, 2))))
        picture.save(self.new(folder, f".{form}"), "JPEG" if form == "jfif" else None)
        self.rows, self.pictures = self.rows + 1, self.pictures + 1

    def damaged(self, folder):
        self.new(folder, f".{self.rng.choice(FORMATS)}").write_bytes(self.rng.bytes(self.rng.integers(0, 40)))
        self.errors += 1

    def array(self, folder):
        file, n = self.new(folder, ".npy"), int(self.rng.integers(0, 4))
        shape, whole = (n, 4, 4, 3), self.rng.random() < 0.7
        np.save(file, np.zeros(shape if whole else (n, 5), np.uint8))
        self.rows, self.errors, self.arrays = self.rows + n * whole, self.errors + (not whole), self.arrays + 1

    def other(self, folder):
        self.new(folder, self.rng.choice([".txt", ".heic", "", ".png.part"])).write_text("x")
        self.beside += 1

    def hidden(self, folder):
        (folder / f".{self.new(folder, '.png').name}").touch()
        self.beside += 1

    def hidden_folder(self, folder, depth):
        hidden = folder / f".{self.new(folder).name}"
        hidden.mkdir()
        (hidden / "a.png").touch()
        self.beside += 1

    def broken_link(self, folder):
        os.symlink("nowhere", self.new(folder, ".png"))
        self.beside += 1

    def linked_file(self, folder):
        target = self.root.with_name(f"{self.root.name}-file.png")
        Image.new("RGB", (4, 4)).save(target)
        os.symlink(target, self.new(folder, ".png"))
        self.rows, self.pictures = self.rows + 1, self.pictures + 1

    def below(self, folder, depth):
        inner = self.new(folder)
        inner.mkdir()
        self.fill(inner, depth + 1)

    def linked(self, folder, depth):
        link = self.new(folder)
        far = self.root.with_name(f"{self.root.name}-{link.name}")
        far.mkdir()
        self.fill(far, depth + 1)
        os.symlink(far, link)
        if self.rng.random() < 0.5:
            os.symlink(far, self.new(folder))
            self.beside += 1

    def loop(self, folder, depth):
        os.symlink(self.rng.choice([self.root, folder, self.root.parent]), self.new(folder))
        self.beside += 1


@pytest.mark.parametrize("seed", range(12))
def test_in_scoring(tmp_path, seed):
    tree = Tree(tmp_path / "in", seed)
    found, summary, names = inputs.find([str(tree.root)]), Summary(), []
    for rows in scorer.answer(inputs.stream(found.files, EVENT, Fit()), lambda x: {"latents": x}, batch_size=7):
        summary.add(rows)
        names += [name for name, _, _ in rows]
    assert (summary.scored, summary.errors, len(found.passed)) == (tree.rows, tree.errors, tree.beside)
    assert len({*names, *found.passed.names}) == tree.rows + tree.errors + tree.beside
    assert inputs.count(found.files, EVENT) == len(names)


@pytest.mark.parametrize("seed", range(3))
def test_in_training(tmp_path, seed, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = Tree(tmp_path / "in", seed)
    data = load_dataset(DataConfig("folder", str(tree.root), size=4))
    pictures, passed = data.about["pictures"], data.about["passed_over"]
    assert pictures == tree.pictures == data.train.size + data.valid.size + data.test.size
    damaged = sum(why.startswith("cannot be read") for why in data.about["passed_over_files"].values())
    assert passed == tree.beside + tree.arrays + damaged == len(data.about["passed_over_files"])
