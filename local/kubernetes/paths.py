"""Where the programs of a run are, and what it installs."""

import os
from pathlib import Path
from typing import Final, NamedTuple

from runtime.version import VERSION

ROOT: Final = Path(__file__).parents[2]
ARCHIVE: Final = ROOT / "dist" / "image.tar"
# The image is made of these.
SOURCES: Final = (
    "Dockerfile",
    "pyproject.toml",
    "requirements",
    "schemas",
    "runtime",
    "adapters",
    "consumers",
    "gateway",
    "console",
    "cli",
    "clients/python",
)


class Artifacts(NamedTuple):
    """What an installation is made of: a chart (a directory or a package), and an archive of the image with its tag."""

    chart: Path
    archive: Path
    tag: str


OF_THIS_TREE: Final = Artifacts(ROOT / "helm" / "gateway", ARCHIVE, VERSION)


def programs() -> Path:
    """Return the directory of the built programs, inside the sandbox."""
    return Path(os.environ["COLLATE_GATEWAY_CLUSTER_PROGRAMS"])


def is_current(archive: Path, root: Path = ROOT) -> bool:
    """Whether an archive of the image is newer than every file that the image is made of."""
    if not archive.exists():
        return False
    made = archive.stat().st_mtime
    places = [root / name for name in SOURCES]
    files = [file for place in places for file in (place, *place.rglob("*")) if "__pycache__" not in file.parts]
    return all(file.stat().st_mtime <= made for file in files if file.is_file())
