"""What `nvp_tf page` writes, and what it refuses; tests/web opens it in a browser."""

import base64
import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
from commands import ROOT, digits_export, error_line, leftovers, run_without_tensorflow

from nvp_tf.errors import UserError
from nvp_tf.exporting.page import material, runtime, writing


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with a LiteRT.js of one file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "nvp_tf" / f"litertjs-{runtime.VERSION}"
    folder.mkdir(parents=True)
    (folder / "litert.js").write_text("// it")
    return folder.parent


def test_a_page_is_whole_and_is_written_anew(cache, tmp_path):
    model, told = digits_export()
    for _ in range(2):
        written = writing.write(model, tmp_path / "page", cache)
    files = {str(file.relative_to(tmp_path / "page")) for file in (tmp_path / "page").rglob("*") if file.is_file()}
    static = {str(file.relative_to(writing.STATIC)) for file in writing.STATIC.rglob("*") if file.is_file()}
    assert files == static | {"model.json", "model_web.tflite", "runtime/litert.js"} and "runtime/LICENSE" in static
    assert (ROOT / "LICENSE").read_bytes() == (writing.STATIC / "runtime" / "LICENSE").read_bytes()
    assert written["size_bytes"] == sum((tmp_path / "page" / file).stat().st_size for file in files)
    about = json.loads((tmp_path / "page" / "model.json").read_text())
    assert (about["shape"], about["levels"], about["prior"]) == ([8, 8, 1], 17, "normal")
    assert len(about["bits_per_dim"]) == told["reference_scores"] and about["bits_per_dim"][0] > 0
    assert np.shape(about["examples"]) == (8, 64) and max(map(max, about["examples"])) <= 16
    assert np.bincount(about["scales"]).tolist() == [32, 32]


def test_what_has_no_page(cache, tmp_path):
    model, _ = digits_export()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    vector = tmp_path / "vector"
    vector.mkdir()
    (vector / "saved_model.pb").touch()
    cases = {
        "is not a folder": (tmp_path / "none", "page"),
        "is there already and is no page": (model, "mine"),
        "is not an export of images, expected one: vectors have no page": (vector, "page"),
    }
    for message, (of, out) in cases.items():
        with pytest.raises(UserError, match=message):
            writing.write(of, tmp_path / out, cache)
    flags = f"--model={vector}", f"--out={tmp_path / 'page'}"
    assert "vectors have no page" in error_line(run_without_tensorflow(tmp_path / "path", "page", *flags))
    (vector / "export.json").write_text('{"levels": 17}')
    with pytest.raises(UserError, match=r"has no model.tflite, expected an export that was made with --tflite"):
        writing.write(vector, tmp_path / "page", cache)
    with pytest.raises(UserError, match=r"has no page.npz, expected an export of images"):
        material.read(vector)
    assert not (tmp_path / "page").exists() and (tmp_path / "mine" / "letter.txt").exists()


def test_the_runtime_is_fetched_once_and_is_what_it_was(tmp_path, monkeypatch):
    registry, cache, packages = tmp_path / "registry", tmp_path / "cache", {}
    for package, (_, names) in runtime._PACKAGES.items():
        archive = registry / package / "-" / f"{package.split('/')[1]}-{runtime.VERSION}.tgz"
        archive.parent.mkdir(parents=True)
        with tarfile.open(archive, "w:gz") as tar:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size = 2
                tar.addfile(entry, io.BytesIO(b"it"))
        packages[package] = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode(), names
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"{registry.as_uri()}/")
    with pytest.raises(UserError, match=r"core-2.5.3.tgz has the SHA-512 \S+==, expected PlGm"):
        runtime.kept(cache)
    monkeypatch.setattr(runtime, "_PACKAGES", packages)
    folder = runtime.kept(cache)
    assert {file.name for file in folder.iterdir()} == {new for _, names in packages.values() for new in names.values()}
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", (tmp_path / "gone").as_uri())
    assert runtime.kept(cache) == folder and leftovers(cache) == []
    with pytest.raises(UserError, match=r"LiteRT.js, .* cannot be fetched from file:.*core-2.5.3.tgz"):
        runtime.kept(tmp_path / "other")
    assert not (tmp_path / "other").exists()
