"""Where local servers keep what outlives them: downloads, and the logs of failures."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """Find the directory: below XDG_CACHE_HOME, else ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "collate-gateway"
