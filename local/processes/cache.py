"""The cache directory of local servers: downloads and the logs of failures."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """Return the directory below XDG_CACHE_HOME, or below ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "collate-gateway"
