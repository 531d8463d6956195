"""What a page shows beside the model, kept in an export: held-out scores and pictures, and the scales of latents."""

from pathlib import Path

import numpy as np

from nvp_tf.errors import UserError

FILE = "page.npz"
EXAMPLES = 8


def write(folder: Path, log_prob: np.ndarray, examples: np.ndarray, scales: np.ndarray) -> None:
    """Keeps it in a version's folder.

    Args:
      log_prob: of held-out images [m], nats.
      examples: held-out images uint8 [n, H, W, C], of which the first 8 are kept.
      scales: uint8 [D], how many scales are factored out before each latent is.
    """
    np.savez_compressed(folder / FILE, log_prob=log_prob, examples=examples[:EXAMPLES], scales=scales)


def read(folder: Path) -> dict[str, np.ndarray]:
    """{"log_prob", "examples", "scales"} of a version's folder; raises UserError where there is no such file."""
    try:
        with np.load(folder / FILE) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        raise UserError(f"{folder} has no {FILE}, expected an export of images that was made with --tflite") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / FILE} is damaged: {error}") from None
