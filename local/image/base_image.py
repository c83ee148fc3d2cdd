"""The base that `make image` uses by default: Debian with its Python, made by debootstrap from Debian's own archive.

The Dockerfile builds in a base with `venv` and runs on the same base without it: `python3-venv` brings a pip, which
the image must not have.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.image.buildah import Buildah, BuildFailed

SUITE: Final = "trixie"
BUILD_BASE: Final = f"localhost/collate-gateway-base:{SUITE}-build"
RUN_BASE: Final = f"localhost/collate-gateway-base:{SUITE}"
_PACKAGES: Final = "python3,python3-venv,ca-certificates"
# What only the build needs.
_PIP_PACKAGES: Final = ("python3-venv", "python3.13-venv", "python3-pip-whl", "python3-setuptools-whl")
# Debian's own rules for small images: no caches, no manuals, no translations. The copyright files stay.
_TRIMMED: Final = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/lintian",
    "tmp",
)


def make_bases(buildah: Buildah) -> None:
    """Make both bases, unless the storage has them."""
    if buildah.has(BUILD_BASE) and buildah.has(RUN_BASE):
        return
    work = Path(tempfile.mkdtemp(prefix="collate-gateway-base-"))
    root = work / "root"
    try:
        _run(["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", SUITE, str(root)])
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        trim(root)
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        buildah.commit_directory(root, BUILD_BASE, "--env", path)
        _run(["chroot", str(root), "dpkg", "--purge", *_PIP_PACKAGES])
        trim(root)
        buildah.commit_directory(root, RUN_BASE, "--env", path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def trim(root: Path) -> None:
    """Empty the directories that no program of the image reads, and remove compiled files."""
    for name in _TRIMMED:
        directory = root / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for file in (root / "usr/share/doc").rglob("*"):
        if file.is_file() and not file.is_symlink() and file.name != "copyright":
            file.unlink()
    for cache in list(root.rglob("__pycache__")):
        shutil.rmtree(cache)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"{command[0]} ended with exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
