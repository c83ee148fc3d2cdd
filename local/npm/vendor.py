"""`make assets`: write the console's vendored files again from the npm packages that `vendor.lock.toml` pins.

`make assets ARGS=htmx.org@4.0.2` takes another version and pins it. The wheel contains the files, so an installation
needs no npm. `docs/licences.md` and the bill of materials name them.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from local.failures import LocalError, exit_code
from local.npm.packages import Package, integrity_of, pack, read_members

CONSOLE: Final = Path(__file__).parents[2] / "console"
LOCK: Final = CONSOLE / "vendor.lock.toml"
_HEAD: Final = """\
# The files of npm packages in static/vendor. `make assets` writes both; a test in tests/unit/console checks each
# digest. `member` is the file's name in the package's archive, `path` its place below this directory.
"""


class DigestDiffers(LocalError):
    """A package or a file is not the pinned one."""


@dataclass(frozen=True, slots=True)
class VendoredFile:
    """A file of a package and its place below `console`."""

    package: str
    version: str
    member: str
    path: str
    sha256: str
    licence: str


@dataclass(frozen=True, slots=True)
class Lock:
    """The pinned packages and their files."""

    packages: tuple[Package, ...]
    files: tuple[VendoredFile, ...]

    def text(self) -> str:
        """Return the lock as TOML."""
        packages = [_table("package", asdict(package)) for package in self.packages]
        files = [_table("file", asdict(file)) for file in self.files]
        return _HEAD + "".join(packages + files)


def read_lock(lock: Path = LOCK) -> Lock:
    """Return the pinned packages and files."""
    read = tomllib.loads(lock.read_text(encoding="utf-8"))
    return Lock(
        tuple(Package(**entry) for entry in read["package"]), tuple(VendoredFile(**entry) for entry in read["file"])
    )


def differing(lock: Lock, console: Path = CONSOLE) -> list[str]:
    """Return the paths of vendored files that are missing, differ from the lock or are not in it."""
    pinned = {file.path: file.sha256 for file in lock.files}
    present = {
        path.relative_to(console).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (console / "static" / "vendor").iterdir()
    }
    return sorted(path for path in pinned.keys() | present.keys() if pinned.get(path) != present.get(path))


def fetch_again(lock: Lock, upgrades: dict[str, str]) -> Lock:
    """Write every vendored file, and return the lock that describes them. `upgrades`: a package's new version.

    Raises:
        NoPackage: npm cannot fetch a package, or the package lacks a file.
        DigestDiffers: a package has its pinned version and another digest.
    """
    packages, files = [], []
    for pinned in lock.packages:
        version = upgrades.get(pinned.name, pinned.version)
        with tempfile.TemporaryDirectory(prefix="assets-") as scratch:
            archive = pack(f"{pinned.name}@{version}", Path(scratch))
            package = replace(pinned, version=version, integrity=integrity_of(archive))
            if version == pinned.version and package.integrity != pinned.integrity:
                raise DigestDiffers(f"{pinned.name} {version} is not the package that {LOCK.name} pins.")
            wanted = [file for file in lock.files if file.package == pinned.name]
            contents = read_members(archive, [file.member for file in wanted] + ["package/package.json"])
        licence = str(json.loads(contents["package/package.json"]).get("license", "unknown"))
        packages.append(replace(package, licence=licence))
        for file in wanted:
            content = contents[file.member]
            (CONSOLE / file.path).parent.mkdir(parents=True, exist_ok=True)
            (CONSOLE / file.path).write_bytes(content)
            files.append(replace(file, version=version, sha256=hashlib.sha256(content).hexdigest(), licence=licence))
    return Lock(tuple(packages), tuple(files))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="make assets", description=__doc__)
    parser.add_argument("upgrade", nargs="*", metavar="PACKAGE@VERSION", help="take this version and pin it")
    upgrades = dict(upgrade.rsplit("@", 1) for upgrade in parser.parse_args(arguments).upgrade)
    lock = read_lock()
    if unknown := upgrades.keys() - {package.name for package in lock.packages}:
        parser.error(f"{LOCK.name} has no package {', '.join(sorted(unknown))}")
    return exit_code(lambda: write_lock(lock, upgrades))


def write_lock(lock: Lock, upgrades: dict[str, str]) -> None:
    """Fetch the files again and write the lock. Raises DigestDiffers and NoPackage."""
    LOCK.write_text(fetch_again(lock, upgrades).text(), encoding="utf-8")


def _table(name: str, values: dict[str, str]) -> str:
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    return f"\n[[{name}]]\n{lines}"


if __name__ == "__main__":
    sys.exit(main())
