"""LiteRT.js, the runtime of LiteRT files in browsers: fetched once from npm's registry, and kept in the user's cache.

It is Google's, under the Apache License 2.0. Of its 38 MB a page takes 19: the builds with and without relaxed SIMD, of
which a browser fetches one. Threads would need headers that few web servers send.
"""

import base64
import hashlib
import io
import os
import tarfile
import urllib.request
from pathlib import Path

from nvp_tf.errors import UserError, reason
from nvp_tf.files import PARTIAL, put_in_place

VERSION = "2.5.3"
_SCRIPTS = ("litert_wasm_internal", "litert_wasm_compat_internal")
# Of each package of npm its checksum, as npm's own lock files have it, and what is taken of it under which name.
_PACKAGES = {
    "@litertjs/core": (
        "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        {"package/dist/index.js": "litert.js"}
        | {f"package/wasm/{name}.{ending}": f"{name}.{ending}" for name in _SCRIPTS for ending in ("js", "wasm")},
    ),
    "@litertjs/wasm-utils": (
        "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        {"package/dist/bundle.js": "wasm-utils.js"},
    ),
}


def kept(cache: Path) -> Path:
    """The folder with the runtime's files, in `cache`; fetched where it is not there yet.

    The registry is npm's, or the one that npm itself is told by NPM_CONFIG_REGISTRY.

    Raises:
      UserError: it cannot be fetched, or is not what it was when this was written.
    """
    folder = cache / f"litertjs-{VERSION}"
    if folder.is_dir():
        return folder
    files: dict[str, bytes] = {}
    for package, (checksum, names) in _PACKAGES.items():
        files |= _taken(_fetched(package, checksum), names)
    partial = cache / f"{PARTIAL}{os.getpid()}-{folder.name}"
    partial.mkdir(parents=True)
    for name, content in files.items():
        (partial / name).write_bytes(content)
    put_in_place(partial, folder)
    return folder


def _fetched(package: str, checksum: str) -> bytes:
    registry = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
    url = f"{registry}/{package}/-/{package.partition('/')[2]}-{VERSION}.tgz"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read()
    except (OSError, ValueError) as error:
        raise UserError(f"LiteRT.js, which a page needs once, cannot be fetched from {url}: {reason(error)}") from None
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != checksum:
        raise UserError(f"{url} has the SHA-512 {found}, expected {checksum}")
    return content


def _taken(tarball: bytes, names: dict[str, str]) -> dict[str, bytes]:
    """Of an archive some files, by the names that they get."""
    with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
        members = {new: archive.extractfile(old) for old, new in names.items()}
        return {new: member.read() for new, member in members.items() if member}
