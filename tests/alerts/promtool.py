"""Finds `promtool`, which unit-tests rules as Prometheus evaluates them.

In this order: TEST_PROMTOOL, the PATH, the cache, the Debian package `prometheus` (only its binary is unpacked: nothing
is installed, and no service starts), the Go module of Prometheus.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from local.processes.cache import cache_directory

MODULE = "github.com/prometheus/prometheus/cmd/{}@v0.53.5"


class NoPromtool(Exception):
    """promtool is not available; the message says how to get it."""


def promtool() -> Path:
    """Return the path of promtool. Raises NoPromtool."""
    return Path(named) if (named := os.environ.get("TEST_PROMTOOL")) else program("promtool")


def program(name: str) -> Path:
    """Return the path of a program of Prometheus: promtool or prometheus. Raises NoPromtool."""
    if found := shutil.which(name):
        return Path(found)
    cached = cache_directory() / name
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        if not (_from_debian(cached) or _from_go(cached)):
            raise NoPromtool(
                "promtool is not available: set TEST_PROMTOOL to its path, or install the package prometheus, or Go"
            )
    return cached


def _from_debian(target: Path) -> bool:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return False
    with tempfile.TemporaryDirectory() as directory:
        if not _download(directory):
            # The lists of a new machine are empty or old.
            _runs(["apt-get", "update", "-qq"], directory)
            if not _download(directory):
                return False
        (package,) = Path(directory).glob("*.deb")
        unpacked = Path(directory) / "unpacked"
        return _runs(["dpkg-deb", "-x", str(package), str(unpacked)], directory) and _keep(
            unpacked / "usr/bin" / target.name, target
        )


def _download(directory: str) -> bool:
    return _runs(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", "prometheus"], directory)


def _from_go(target: Path) -> bool:
    if shutil.which("go") is None:
        return False
    with tempfile.TemporaryDirectory() as directory:
        return _runs(["env", f"GOBIN={directory}", "go", "install", MODULE.format(target.name)], directory) and _keep(
            Path(directory) / target.name, target
        )


def _keep(binary: Path, target: Path) -> bool:
    """Copy the binary in one step, because two runs may do it at the same time."""
    if not binary.exists():
        return False
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copy2(binary, partial)
    partial.chmod(0o755)
    partial.replace(target)
    return True


def _runs(command: list[str], directory: str) -> bool:
    return subprocess.run(command, cwd=directory, capture_output=True, check=False).returncode == 0
