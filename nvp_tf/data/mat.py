"""Arrays of MATLAB files."""

from pathlib import Path

import numpy as np

from nvp_tf.errors import UserError


def read_mat(file: Path, key: str) -> np.ndarray:
    """One array of a .mat file; raises UserError for a file that is missing, damaged or without it."""
    from scipy.io import loadmat

    if not file.is_file():
        raise UserError(f"{file} is missing, expected it beside the other files of the data set")
    try:
        found = loadmat(file, variable_names=[key])
    except Exception as error:  # SciPy tells of damage by many types.
        reason = str(error).strip().splitlines()
        raise UserError(f"{file} cannot be read: {reason[0] if reason else type(error).__name__}") from None
    if key not in found:
        raise UserError(f"{file} has no {key}, expected it as published")
    return found[key]
