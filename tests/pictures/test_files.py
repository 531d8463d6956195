"""Each thing below a folder is read, or passed over with a reason."""

import os

import pytest
from PIL import Image

from nvp_tf.errors import UserError
from nvp_tf.pictures.files import PassedOver, find_files, find_pictures


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(root / name, "PNG")


def test_links_and_what_is_beside(tmp_path):
    root, far = tmp_path / "in", tmp_path / "far"
    make(root, "a.png", "b/c.gif", "b/d/e.TIFF", ".f.png", ".g/h.png", ".g/i.png", "notes.txt")
    make(far, "x/1.png", "y/2.png")
    links = {
        "broken.png": "nowhere.png",
        "itself.png": "itself.png",
        "far": far,
        "far_again": far,
        "up": "..",
        "b/root": root,
        "b/within": root / "b" / "d",
        "file.png": "a.png",
    }
    for name, target in links.items():
        os.symlink(target, root / name)
    os.symlink(far, far / "x" / "back")
    os.mkfifo(root / "pipe.png")
    found = find_pictures(root)
    assert found.files == ["a.png", "b/c.gif", "b/d/e.TIFF", "far/x/1.png", "far/y/2.png", "file.png"]
    again, above = "a link to a folder that is read already", "a link to a folder that it lies in"
    assert found.passed.names == {
        ".f.png": "hidden", ".g": "hidden", "notes.txt": "of another kind", "broken.png": "a broken link",
        "itself.png": "a broken link", "pipe.png": "no file", "far_again": again, "b/within": again, "b/root": above,
        "up": above, "far/x/back": above,
    }  # fmt: skip
    assert str(found.passed).startswith("11 passed over: 2 hidden (.f.png, .g), ")
    assert find_files(far, lambda path: path.endswith("2.png")).passed.counts == {"of another kind": 1, above: 1}


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    make(tmp_path, "a.png", "shut/b.png")
    listed = os.scandir

    def scandir(path):
        if str(path).rstrip("/").endswith("shut"):  # whom modes do not hold, root, is let in
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert find_pictures(tmp_path).passed.names == {"shut": "cannot be read: Permission denied"}
    with pytest.raises(UserError, match="shut cannot be read: Permission denied, expected a folder"):
        find_pictures(tmp_path / "shut")


def test_many_are_counted_and_the_first_are_named():
    parts = [PassedOver() for _ in range(3)]
    for i in range(300):
        parts[i % 3].add(f"{i}", "hidden" if i % 2 else "a broken link")
    whole = PassedOver()
    for part in parts:
        whole.merge(part)
    assert len(whole) == whole.figures()["passed_over"] == 300 and len(whole.figures()["passed_over_files"]) == 100
    assert str(whole) == "300 passed over: 150 a broken link (0, 6, 12, ...), 150 hidden (3, 9, 15, ...)"
    assert PassedOver().figures() == {}
