"""The browser: Chromium from an npm package, unpacked once into the cache. It needs no root and no system package.

    ~/.cache/collate-gateway/browser/
      chromium-153.0.0-8e219…/   chromium  lib/ (its libraries)  fonts/  fonts.conf
      axe-core-4.14.1-1477…tgz

TEST_BROWSER=/path/to/chromium takes a browser that this machine has; the package exists for Linux on x86-64 only.
"""

import io
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cramjam

from local.failures import LocalError, NoPackage
from local.kafka.jars import require_space
from local.npm.packages import Package, fetch, read_members
from local.processes.cache import cache_directory

LOCK = Path(__file__).with_name("browser.lock.toml")
REQUIRED_BYTES = 400 << 20
USE_AN_EXISTING_BROWSER = (
    "Install Chromium or Chrome (Debian: apt-get install chromium) and set TEST_BROWSER=/path/to/it."
)
_FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf")
_FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
  <alias binding="same"><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <alias binding="same"><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
  <alias binding="same"><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
  <match target="pattern"><edit name="family" mode="append_last"><string>Open Sans</string></edit></match>
  <match target="pattern"><edit name="family" mode="append_last"><string>DejaVu Sans</string></edit></match>
</fontconfig>
"""


class NoBrowser(LocalError):
    """There is no browser, and none can be fetched for this machine."""


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser's program, and the variables that it needs besides those of this process."""

    program: Path
    variables: dict[str, str] = field(default_factory=dict)


def pinned(name: str) -> Package:
    """Return a package of the lock: `chromium`, `fonts` or `axe`."""
    return Package(**tomllib.loads(LOCK.read_text(encoding="utf-8"))[name])


def browser() -> Browser:
    """Return TEST_BROWSER, or the packaged Chromium; fetch and unpack it if it is missing.

    Raises NoBrowser, with the way to get one.
    """
    if existing := os.environ.get("TEST_BROWSER"):
        if not Path(existing).is_file():
            raise NoBrowser(f"TEST_BROWSER is {existing}, which is no file. {USE_AN_EXISTING_BROWSER}")
        return Browser(Path(existing))
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise NoBrowser(f"No packaged Chromium for {sys.platform} on {platform.machine()}. {USE_AN_EXISTING_BROWSER}")
    directory = cache_directory() / "browser"
    home = directory / pinned("chromium").filename.removeprefix("sparticuz-").removesuffix(".tgz")
    if not home.exists():
        _unpack(directory, home)
    variables = {"LD_LIBRARY_PATH": str(home / "lib"), "FONTCONFIG_FILE": str(home / "fonts.conf")}
    return Browser(home / "chromium", variables)


@cache
def axe_source() -> str:
    """Return the script of axe-core. Raises NoPackage if it cannot be fetched."""
    archive = fetch(pinned("axe"), cache_directory() / "browser")
    return read_members(archive, ["package/axe.min.js"])["package/axe.min.js"].decode()


def _unpack(directory: Path, home: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        require_space(directory, REQUIRED_BYTES)
        archive, fonts = fetch(pinned("chromium"), directory), fetch(pinned("fonts"), directory)
    except NoPackage as error:
        raise NoBrowser(f"There is no browser: {error} {USE_AN_EXISTING_BROWSER}") from error
    parts = {name: f"package/bin/{name}.br" for name in ("chromium", "al2023.tar", "fonts.tar")}
    with tempfile.TemporaryDirectory(prefix="unpack-", dir=directory) as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        compressed = read_members(archive, parts.values())
        (new / "chromium").write_bytes(cramjam.brotli.decompress(compressed[parts["chromium"]]))
        (new / "chromium").chmod(0o755)
        _unpack_tar(compressed[parts["al2023.tar"]], "lib/", new / "lib")
        _unpack_tar(compressed[parts["fonts.tar"]], "fonts/", new / "fonts")
        for name, content in read_members(fonts, [f"package/ttf/{font}" for font in _FONTS]).items():
            (new / "fonts" / Path(name).name).write_bytes(content)
        text = _FONTS_CONF.format(fonts=home / "fonts", cache=home / "font-cache")
        (new / "fonts.conf").write_text(text, encoding="utf-8")
        try:
            new.rename(home)
        except OSError:  # another process was faster
            if not (home / "chromium").exists():
                raise
    archive.unlink(missing_ok=True)


def _unpack_tar(compressed: bytes, folder: str, target: Path) -> None:
    """Write the plain files of one folder of a tar archive. Read them by name: Python 3.11.3 has no filter."""
    target.mkdir()
    with tarfile.open(fileobj=io.BytesIO(bytes(cramjam.brotli.decompress(compressed)))) as opened:
        for member in opened:
            name = member.name.removeprefix("./")
            content = opened.extractfile(member) if member.isfile() else None
            if content is not None and name.startswith(folder):
                with (target / Path(name).name).open("wb") as file:
                    shutil.copyfileobj(content, file)
