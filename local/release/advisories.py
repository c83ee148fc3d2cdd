"""Which components of a bill of materials have a known vulnerability, by advisories in the OSV format.

The advisories come from a file: one record, a list of records, or a zip of records, as OSV hands them out for each
ecosystem. Nothing is asked of the network.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from local.failures import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# By the type of a package URL. Debian's packages are not here: their advisories name a release and a source package.
_ECOSYSTEMS: Final = {"pypi": "PyPI", "npm": "npm"}


class Finding(NamedTuple):
    """One vulnerable component."""

    advisory: str
    component: str
    version: str
    summary: str


class AdvisoriesUnusable(LocalError):
    """The file is not in the OSV format. The message names the file and what was expected."""


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file. Raises AdvisoriesUnusable."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                records = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")]
        else:
            read = json.loads(path.read_bytes())
            records = read if isinstance(read, list) else [read]
    except (OSError, ValueError) as error:
        raise AdvisoriesUnusable(
            f"{path}: {error}. Expected JSON records in the OSV format, or a zip of them."
        ) from None
    if not records or not all(isinstance(record, dict) and "id" in record for record in records):
        raise AdvisoriesUnusable(f"{path}: a record has no `id`. Expected JSON records in the OSV format.")
    return [record for record in records if "withdrawn" not in record]


def scan(bill: dict[str, Any], records: Iterable[dict[str, Any]]) -> tuple[list[Finding], int]:
    """Return the findings, and how many components could be compared."""
    components = {}
    for component in bill["components"]:
        kind = component.get("purl", "").removeprefix("pkg:").partition("/")[0]
        if kind in _ECOSYSTEMS:
            components[_ECOSYSTEMS[kind], canonicalize_name(component["name"])] = component
    found = []
    for record in records:
        for affected in record.get("affected", ()):
            package = affected.get("package", {})
            component = components.get((package.get("ecosystem"), canonicalize_name(package.get("name", ""))))
            if component is not None and _is_affected(component["version"], affected):
                finding = Finding(record["id"], component["name"], component["version"], record.get("summary", ""))
                found.append(finding)
    return sorted(set(found)), len(components)


def _is_affected(version: str, affected: dict[str, Any]) -> bool:
    if version in affected.get("versions", ()):
        return True
    return any(_is_within(Version(version), _events(one)) for one in affected.get("ranges", ()) if one["type"] != "GIT")


def _events(a_range: dict[str, Any]) -> Iterator[tuple[Version, str]]:
    for event in a_range["events"]:
        for kind, at in event.items():
            try:
                yield Version(at), kind
            except InvalidVersion:
                continue


def _is_within(version: Version, events: Iterable[tuple[Version, str]]) -> bool:
    """Walk the events in the order of their versions (the algorithm of the OSV schema)."""
    is_affected = False
    for at, kind in sorted(events):
        if kind == "introduced" and version >= at:
            is_affected = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            is_affected = False
    return is_affected
