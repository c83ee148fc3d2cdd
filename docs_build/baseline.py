"""The files of the last release, as git has them: `v` and the newest version of the changelog is the release's tag."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[1]
_VERSION: Final = re.compile(r"^## (\d\S*)$", re.MULTILINE)


class NoTag(Exception):
    """The changelog names a release, and this checkout has no file of it; the message says what to do."""


def last_release(root: Path = _ROOT) -> str | None:
    """Return the newest version that the changelog names; None before the first release."""
    found = _VERSION.search((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    return found[1] if found else None


def released(path: str, root: Path = _ROOT) -> str | None:
    """Return a file's text in the last release; None before the first one. Raises NoTag."""
    if (version := last_release(root)) is None:
        return None
    command = ("git", "show", f"v{version}:{path}")
    shown = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if shown.returncode:
        raise NoTag(
            f"CHANGELOG.md names the release {version}, and git has no {path} under the tag v{version}: "
            "fetch the tags (`git fetch --tags --unshallow`), or tag the release"
        )
    return shown.stdout


def released_json(path: str, root: Path = _ROOT) -> Any:
    """Return a JSON file of the last release, parsed; None before the first one. Raises NoTag."""
    text = released(path, root)
    return None if text is None else json.loads(text)
