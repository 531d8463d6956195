"""Runs in .venv-beam: python far.py FOLDER scores FOLDER/in with FOLDER/models by the names far://disk/...

Prints one line of JSON. The model fails in its first two calls: the first ends a run by a runner that does not try
again, the second does not end one by a runner that does.
"""

import json
import os
import posixpath
import sys

import apache_beam
from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

from nvp_tf.scoring import beam
from nvp_tf.scoring.saved_model import SavedModel

ROOT = sys.argv[1]


def here(path):
    return path.replace("far://disk", ROOT, 1)


class Far(LocalFileSystem):
    """A file system of a scheme of its own, far://disk/... in place of ROOT/..."""

    @classmethod
    def scheme(cls):
        return "far"

    def join(self, base, *parts):
        return posixpath.join(base, *parts)

    def split(self, path):
        return posixpath.split(path)

    def _list(self, folder):
        for root, _, files in os.walk(here(folder), followlinks=True):
            for name in files:
                path = os.path.join(root, name)
                yield FileMetadata(path.replace(ROOT, "far://disk", 1), os.path.getsize(path))

    def rename(self, sources, destinations):
        super().rename([here(path) for path in sources], [here(path) for path in destinations])

    def delete(self, paths):
        super().delete([here(path) for path in paths])

    def match(self, patterns, limits=None):
        if patterns and patterns[0].startswith(ROOT):  # the parent's delete
            return LocalFileSystem(None).match(patterns, limits)
        return super().match(patterns, limits)


def on_disk(name):
    method = getattr(LocalFileSystem, name)
    return lambda self, path, *arguments, **options: method(self, here(path), *arguments, **options)


for name in ("mkdirs", "create", "open", "exists", "size", "checksum", "last_updated"):
    setattr(Far, name, on_disk(name))


calls = 0
score = SavedModel.score


def failing(self, batch):
    global calls
    calls += 1
    if calls <= 2:
        raise RuntimeError("a model that fails")
    return score(self, batch)


SavedModel.score = failing


def run(runner, output):
    words, output = ["far://disk/in"], f"far://disk/{output}"
    model = beam.check("far://disk/models", words, output)
    return beam.run(apache_beam.Pipeline(runner=runner), model, words, output, ".parquet")


try:
    run("FnApiRunner", "without retry")
except Exception as error:
    failed = str(error)
summary = run("BundleBasedDirectRunner", "out")
models = [name for name in sys.modules if name.startswith(("nvp_tf.models", "nvp_tf.layers"))]
print(json.dumps({"failed": failed, "summary": summary, "models": models}))
