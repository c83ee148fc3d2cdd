"""An earlier release as a program: its wheel, unpacked beside the packages of this environment."""

import sys
import zipfile
from pathlib import Path

from local.failures import LocalError


class NoEarlierRelease(LocalError):
    """There is no such wheel of an earlier release."""


def program_of(wheel: Path, directory: Path) -> Path:
    """Return the program `gateway` of a wheel."""
    if not wheel.is_file():
        raise NoEarlierRelease(f"{wheel} does not exist; give a wheel of an earlier release with --from.")
    installed = directory / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    program = directory / "gateway"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(installed)!r})\nfrom cli.app import main\nmain()\n"
    )
    program.chmod(0o755)
    return program
