"""The licences of everything in the production image: `python -m docs_build.licences` writes docs/licences.md.

Read from what is installed here, for the packages that requirements/runtime.txt pins on this platform. A licence that
nobody has agreed to is refused.
"""

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import TYPE_CHECKING, cast

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from email.message import Message

PAGE = Path("docs/licences.md")
PINNED = Path("requirements/runtime.txt")
_HEAD = """<!-- Made by `python -m docs_build.licences`; don't edit. -->

# Licences

What the production image holds beside Python itself, and under which licence. `make sbom` writes the same with versions
and dependencies, as a CycloneDX bill of materials.

| package | licence |
|---|---|
"""
# Permissive ones, and weak copyleft that asks nothing of who only uses a library.
_AGREED = ("MIT", "BSD", "Apache", "ISC", "PSF", "Python Software Foundation", "MPL", "LGPL", "Unlicense")


class NotAgreed(Exception):
    """A package's licence is none of those that were agreed to."""


def page(pinned: Path = PINNED) -> str:
    """Write docs/licences.md; raises NotAgreed."""
    return _HEAD + "".join(f"| {name} | {licence} |\n" for name, licence in sorted(_licences(pinned)))


def _licences(pinned: Path) -> Iterator[tuple[str, str]]:
    for line in pinned.read_text(encoding="utf-8").splitlines():
        if "==" not in line or line.startswith(" "):
            continue
        requirement = Requirement(line.removesuffix("\\").strip())
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        licence = _licence(distribution(requirement.name))
        if not any(agreed in licence for agreed in _AGREED):
            raise NotAgreed(f"{requirement.name}: {licence}")
        yield requirement.name, licence


def _licence(found: Distribution) -> str:
    metadata = cast("Message", found.metadata)
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [one for one in metadata.get_all("Classifier") or () if one.startswith("License :: OSI Approved :: ")]
    if classifiers:
        return ", ".join(sorted(one.rpartition(" :: ")[2] for one in classifiers))
    # Some put the whole text there.
    return str(metadata.get("License") or "unknown").splitlines()[0]


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else PAGE).write_text(page(), encoding="utf-8")
