"""What is in an image: its Python and Debian packages with their licences, and programs that must not be there."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from local.image.bill_of_materials import with_vendored
from local.npm.vendor import read_lock

if TYPE_CHECKING:
    from email.message import Message

SITE_PACKAGES: Final = "opt/gateway/lib/python3*/site-packages"
# By the names of their files and directories, wherever they are.
_FORBIDDEN: Final = re.compile(r"(pip|pip3(\.\d+)?|ensurepip|setuptools|pip-[\d.]+.*\.whl|wheel|easy_install)")
_LICENCE: Final = re.compile(r"^License: *(\S.*)$", re.MULTILINE)
_COMMON: Final = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]+\w)")


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the image. `source` is `pypi` or `deb`."""

    source: str
    name: str
    version: str
    licence: str

    @property
    def purl(self) -> str:
        """The package's URL, as vulnerability scanners read it."""
        return f"pkg:{'deb/debian' if self.source == 'deb' else self.source}/{self.name}@{self.version}"


def forbidden(root: Path) -> list[str]:
    """Return the places of package installers. An intruder must not find one."""
    return sorted(
        str(path.relative_to(root))
        for place in ("usr", "opt")
        for path in (root / place).rglob("*")
        if _FORBIDDEN.fullmatch(path.name) and "share/doc" not in str(path)
    )


def packages(root: Path) -> list[Package]:
    """Return all packages, sorted."""
    return sorted([*_python(root), *_debian(root)], key=lambda one: (one.source, one.name))


def bill(name: str, version: str, listed: list[Package]) -> dict[str, Any]:
    """Return the bill of materials of an image, in CycloneDX, with the console's vendored files."""
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, repr(listed))}",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version}},
        "components": [
            {
                "type": "library",
                "bom-ref": found.purl,
                "name": found.name,
                "version": found.version,
                "licenses": [{"license": {"name": found.licence}}],
                "purl": found.purl,
            }
            for found in listed
        ],
    }
    return with_vendored(content, read_lock())


def licences(listed: list[Package]) -> str:
    """Return a table of the licences, for `dist/licences.md`."""
    rows = "".join(f"| {found.source} | {found.name} | {found.version} | {found.licence} |\n" for found in listed)
    return (
        "# Licences of the image\n\nMade by `make image` from the image's files.\n\n"
        f"| source | package | version | licence |\n|---|---|---|---|\n{rows}"
    )


def size_in_bytes(root: Path) -> int:
    """Return the size of all files. Hard links count once."""
    stats = (path.lstat() for path in root.rglob("*"))
    return sum({(stat.st_dev, stat.st_ino): stat.st_size for stat in stats}.values())


def _python(root: Path) -> Iterator[Package]:
    (place,) = root.glob(SITE_PACKAGES)
    for distribution in distributions(path=[str(place)]):
        yield Package("pypi", distribution.name, distribution.version, licence_of(distribution))


def _debian(root: Path) -> Iterator[Package]:
    status = root / "var/lib/dpkg/status"
    if not status.exists():
        return
    for paragraph in status.read_text().split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            copyright_file = root / "usr/share/doc" / fields["Package"] / "copyright"
            yield Package("deb", fields["Package"], fields["Version"], debian_licence(_text(root, copyright_file)))


def _text(root: Path, file: Path) -> str:
    """Read a file of the image; its absolute links are meant inside the image."""
    while file.is_symlink():
        target = file.readlink()
        file = root / str(target).lstrip("/") if target.is_absolute() else file.parent / target
    if not file.exists() and file.parent.is_symlink():
        return _text(root, file.parent.parent / file.parent.readlink() / file.name)
    return file.read_text(errors="replace") if file.exists() else ""


def licence_of(found: Distribution) -> str:
    """Return the licence that an installed package states."""
    metadata = cast("Message", found.metadata)
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [
        trove for trove in metadata.get_all("Classifier") or () if trove.startswith("License :: OSI Approved :: ")
    ]
    if classifiers:
        return ", ".join(sorted(trove.rpartition(" :: ")[2] for trove in classifiers))
    # Some packages put the whole licence text into this field; its first line is the name.
    return str(metadata.get("License") or "unknown").splitlines()[0]


def debian_licence(text: str) -> str:
    """Return the licences that a copyright file names, or those whose full texts it points at."""
    named = _LICENCE.findall(text) or _COMMON.findall(text)
    return ", ".join(sorted({licence.strip() for licence in named})) or "see /usr/share/doc"
