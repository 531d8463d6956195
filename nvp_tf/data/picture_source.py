"""Picture files as a Source."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from nvp_tf.data.preparing import Source
from nvp_tf.errors import UserError
from nvp_tf.pictures.decoding import Fit, read_picture
from nvp_tf.pictures.files import PassedOver


def picture_source(
    name: str,
    folder: str | Path,
    paths: list[str],
    transformation: str,
    image: Callable[[Image.Image], np.ndarray],
    channels: int,
    fit: Fit | None = None,
    passed: PassedOver | None = None,
) -> Source:
    """Picture files as a Source.

    Args:
      name: of the source.
      folder: where they are.
      paths: relative to it.
      transformation: says all that `image` does.
      image: a function of an open picture (upright, RGB or grey) to uint8 [height, width, channels].
      channels: 3, or 1 for grey.
      fit: how pictures of another depth are brought to that; None for the defaults of `Fit`.
      passed: what else is in the folder.
    """
    folder, how = Path(folder), fit or Fit()
    return Source(
        name=name,
        identity=[transformation, files_digest(folder, paths)],
        size=len(paths),
        channels=channels,
        items=lambda start: ((path, folder / path) for path in paths[start:]),
        image=lambda file: image(read_picture(file, channels, how)),
        passed=passed,
    )


def files_digest(folder: str | Path, paths: Iterable[str]) -> str:
    """A string that changes with the files' names, sizes and times: what is behind them is not read."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            stat = os.stat(os.path.join(folder, path))
        except OSError as error:
            raise UserError(f"{error.filename} cannot be read: {error.strerror}") from None
        digest.update(os.fsencode(path) + f"\0{stat.st_size} {stat.st_mtime_ns}\0".encode())
    return digest.hexdigest()
