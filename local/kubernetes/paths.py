"""Where the programs and the image of a run are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ARCHIVE: Final = ROOT / "dist" / "image.tar"


def programs() -> Path:
    """Return the directory of the built programs, inside the sandbox."""
    return Path(os.environ["COLLATE_GATEWAY_CLUSTER_PROGRAMS"])
