"""An earlier release as a program: its wheel, unpacked beside the packages of this environment."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

from local.failures import LocalError
from local.processes.archives import unpack
from local.processes.cache import cache_directory

ROOT = Path(__file__).resolve().parents[2]
# The last commit before the present series of changes.
EARLIER_COMMIT = "8bda769fa4b087f509d98b98001aa49dea653960"


class NoEarlierRelease(LocalError):
    """There is no wheel of an earlier release."""


def program_of(wheel: Path | None, directory: Path) -> Path:
    """Return the program `gateway` of a wheel; without one, of a wheel that is built from the earlier commit."""
    wheel = wheel or _build()
    if not wheel.is_file():
        raise NoEarlierRelease(f"{wheel} does not exist; give a wheel of an earlier release with --from.")
    installed = directory / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)  # noqa: S202 - our own wheel
    program = directory / "gateway"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(installed)!r})\n"
        "from gateway.cli.app import main\nmain()\n"
    )
    program.chmod(0o755)
    return program


def _build() -> Path:
    """Build the wheel of the earlier commit once."""
    directory = cache_directory() / "wheels" / EARLIER_COMMIT[:12]
    if not (found := sorted(directory.glob("*.whl"))):
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as source:
            archived = _run(["git", "archive", "--format=tar", EARLIER_COMMIT], ROOT)
            with tarfile.open(fileobj=BytesIO(archived)) as tree:
                unpack(tree, source)
            _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)], Path(source))
        found = sorted(directory.glob("*.whl"))
    return found[0]


def _run(command: list[str], directory: Path) -> bytes:
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, check=False)
    except OSError as error:
        raise NoEarlierRelease(f"{command[0]} cannot run ({error}); give a wheel with --from.") from error
    if done.returncode:
        raise NoEarlierRelease(
            f"The wheel of commit {EARLIER_COMMIT[:12]} cannot be built ({done.stderr.decode().strip()[-300:]}). "
            "Give a wheel of an earlier release with --from."
        )
    return done.stdout
