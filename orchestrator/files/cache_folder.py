"""The folder of what is kept for one user and many runs: environments, indexes of large runs, and single files."""

import os
from pathlib import Path

import platformdirs


def find_cache_folder() -> Path:
    """Return this user's folder: `$PLUMBLINE_HOME`, or else `plumbline` in the user's cache."""
    said = os.environ.get("PLUMBLINE_HOME")
    return Path(said).absolute() if said else platformdirs.user_cache_path("plumbline")
