"""What code made a run or an export."""

import subprocess
from pathlib import Path

from nvp_tf import __version__

_CHECKOUT = Path(__file__).resolve().parents[2]


def provenance() -> dict:
    """{"nvp_tf": its version, "commit": of the checkout that it runs from, with "+" where that has changes; None for
    an installed package}."""
    return {"nvp_tf": __version__, "commit": _commit() if (_CHECKOUT / ".git").exists() else None}


def _commit() -> str | None:
    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    return commit and commit + "+" * bool(changes)


def git(*words: str) -> str | None:
    """What git says of the checkout; None where it says nothing, or is not there."""
    try:
        said = subprocess.run(["git", "-C", str(_CHECKOUT), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout.strip() if said.returncode == 0 else None
