"""docs/licences.md: the licence of every package in the production image.

The licences come from the metadata of the installed packages, which requirements/runtime.txt names, and from the lock
of the console's vendored files.
"""

import textwrap
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from docs_build.markdown import MADE, table
from local.image.contents import licence_of
from local.npm.vendor import LOCK, read_lock

# The image's Python, not the one that runs here: another version may need other packages.
IMAGE_PYTHON: Final = "3.13"
_MARKERS: Final = {"python_version": IMAGE_PYTHON, "python_full_version": f"{IMAGE_PYTHON}.0"}
PINNED: Final = Path(__file__).parents[1] / "requirements" / "runtime.txt"
_HEAD: Final = """
# Licences

The packages in the production image, without Python itself. `make sbom` writes the same list with versions and
dependencies, as a CycloneDX bill of materials.

"""
_VENDORED: Final = """
## Files of npm packages

The console serves these files to browsers. `console/vendor.lock.toml` has their digests.

"""
# Permissive licences, and weak copyleft licences: these do not affect a program that only uses the library.
_ACCEPTED: Final = ("MIT", "BSD", "Apache", "ISC", "PSF", "Python Software Foundation", "MPL", "LGPL", "Unlicense")


class LicenceNotAccepted(Exception):
    """A package has a licence that is not in the list of accepted licences."""


def page(pinned: Path = PINNED, vendored: Path = LOCK) -> str:
    """Return docs/licences.md. Raises LicenceNotAccepted if a package's licence is not in the list."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name, licence in sorted(_licences(pinned)):
        alike[licence].append(name)
    line = textwrap.TextWrapper(120, subsequent_indent="  ", break_on_hyphens=False)
    items = [f"- {licence}: {', '.join(names)}" for licence, names in sorted(alike.items())]
    packages = "".join(f"{line.fill(item)}\n" for item in items)
    files = table(("file", "package", "licence"), _vendored_rows(vendored))
    return MADE + _HEAD + packages + _VENDORED + files


def _vendored_rows(lock: Path) -> Iterator[tuple[str, ...]]:
    for file in read_lock(lock).files:
        _require_accepted(file.package, file.licence)
        yield f"`{file.path}`", f"{file.package} {file.version}", file.licence


def _licences(pinned: Path) -> Iterator[tuple[str, str]]:
    for line in pinned.read_text(encoding="utf-8").splitlines():
        if "==" not in line or line.startswith(" "):
            continue
        requirement = Requirement(line.removesuffix("\\").strip())
        if requirement.marker is not None and not requirement.marker.evaluate(_MARKERS):
            continue
        licence = licence_of(distribution(requirement.name))
        _require_accepted(requirement.name, licence)
        yield requirement.name, licence


def _require_accepted(name: str, licence: str) -> None:
    if not any(accepted in licence for accepted in _ACCEPTED):
        raise LicenceNotAccepted(f"{name}: {licence}")
