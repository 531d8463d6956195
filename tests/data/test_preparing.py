"""What is prepared is whole, survives every way to be stopped, and is not prepared twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from nvp_tf.data import preparing
from nvp_tf.data.preparing import Source, prepare
from nvp_tf.errors import UserError

N = 100


def image(i):
    return np.random.RandomState(i).randint(0, 256, (4 + i % 3, 5, 3)).astype(np.uint8)


def source(make=image, size=N, identity="a"):
    return Source("made", [identity], size, 3, lambda start: ((f"i{i}", i) for i in range(start, size)), make)


def stored(prepared):
    """All pixels, by reading each image as one window of its height."""
    rows = range(prepared.size)
    return [prepared.windows(np.array([row]), np.array([[0, 0]]), (4, 4))[0].tobytes() for row in rows]


def expected(numbers=range(N)):
    return [image(i)[:4, :4].tobytes() for i in numbers]


def test_images_of_different_sizes_in_order(own_cache):
    prepared = prepare(source())
    assert stored(prepared) == expected()
    assert prepared.names() == [f"i{i}" for i in range(N)]
    assert (prepared.shapes() == [image(i).shape[:2] for i in range(N)]).all()
    assert [path.name.startswith("made-") for path in own_cache.iterdir()] == [True]


def test_only_another_identity_is_prepared_anew(own_cache):
    prepare(source())
    prepare(source(make=lambda i: pytest.fail("prepared twice")))
    prepare(source(identity="b"))
    assert len(list(own_cache.iterdir())) == 2


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_it_goes_on_where_it_was_stopped(own_cache, stop):
    seen = []

    def until_70(i):
        if i == 70:
            raise stop
        return image(i)

    def watched(i):
        seen.append(i)
        return image(i)

    with pytest.raises(stop):
        prepare(source(until_70))
    assert [path.name.startswith("partial-made-") for path in own_cache.iterdir()] == [True]
    assert stored(prepare(source(watched))) == expected()
    assert sorted(seen) == list(range(64, N))


@pytest.mark.parametrize("lost", ["half a line", "pixels without a line", "pixels that the journal names"])
def test_a_journal_that_is_ahead_or_behind(own_cache, lost):
    with pytest.raises(KeyboardInterrupt):
        prepare(source(lambda i: image(i) if i < 70 else (_ for _ in ()).throw(KeyboardInterrupt)))
    [partial] = own_cache.iterdir()
    journal, pixels = partial / "items.jsonl", partial / "pixels"
    if lost == "half a line":
        journal.write_bytes(journal.read_bytes()[:-4])
    elif lost == "pixels without a line":
        pixels.write_bytes(pixels.read_bytes() + b"more")
    else:
        pixels.write_bytes(pixels.read_bytes()[:-1])
    assert stored(prepare(source())) == expected()


SCRIPT = """
import sys, time
sys.path[:0] = {path!r}
from test_preparing import image, prepare, source
def slow(i):
    time.sleep(0.02)
    return image(i)
prepare(source(slow))
"""


def start():
    return subprocess.Popen([sys.executable, "-c", SCRIPT.format(path=[os.path.dirname(__file__), *sys.path])])


def test_a_killed_process_and_one_that_waits_for_another(own_cache, capsys):
    process = start()
    while not any(path.stat().st_size for path in own_cache.glob("partial-*/items.jsonl")):
        assert process.poll() is None
        time.sleep(0.005)
    waiting = threading.Thread(target=lambda: got.append(prepare(source())))
    got, said = [], ""
    waiting.start()
    time.sleep(0.05)
    assert not got  # The process has the lock, as is said
    while "made is being prepared by another process: waiting for it\n" not in (said := said + capsys.readouterr().err):
        assert waiting.is_alive()
        time.sleep(0.005)
    assert not got  # once,
    process.send_signal(signal.SIGKILL)
    process.wait()
    waiting.join(30)  # which goes with it.
    assert stored(got[0]) == expected()
    assert (said + capsys.readouterr().err).count("waiting for it") == 1


def test_what_cannot_be_used_is_skipped(capsys):
    def make(i):
        if i % 10 == 3:
            raise UserError(f"is {i}")
        return image(i)

    prepared = prepare(source(make))
    assert prepared.size == 90 and stored(prepared) == expected(i for i in range(N) if i % 10 != 3)
    assert "made: skipped 10 of 100 (i3: is 3; i13: is 13; i23: is 23; and 7 more)" in capsys.readouterr().err
    assert prepare(source(lambda i: make(3), identity="none")).size == 0


def test_too_little_space_is_said_before_it_is_used(monkeypatch, own_cache):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(preparing.shutil, "disk_usage", lambda path: usage._replace(free=3_000_000_000))
    with pytest.raises(UserError, match=r"made needs about 7.5 GB more in .*, which has 3.0 GB free: make room, or"):
        prepare(source(size=10**8))
    assert sum(path.stat().st_size for path in own_cache.rglob("*")) < 10_000


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "pixels").write_bytes((folder / "pixels").read_bytes()[:-1]),
        lambda folder: (folder / "index.npy").write_bytes((folder / "index.npy").read_bytes()[:-1]),
        lambda folder: (folder / "manifest.json").write_text("{"),
        lambda folder: (folder / "manifest.json").write_text(json.dumps({"images": 3})),
        lambda folder: (folder / "pixels").unlink(),
    ],
)
def test_damage_is_said(own_cache, damage):
    prepare(source())
    [folder] = own_cache.iterdir()
    damage(folder)
    with pytest.raises(UserError, match=r"is damaged.*: delete it, and it is prepared anew") as caught:
        prepare(source())
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_cut_while_it_is_read(own_cache):
    prepared = prepare(source())
    [folder] = own_cache.iterdir()
    os.truncate(folder / "pixels", 10)
    with pytest.raises(UserError, match="pixels has become shorter"):
        stored(prepared)


def test_a_cache_that_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot be made: Not a directory: set XDG_CACHE_HOME"):
        prepare(source())
