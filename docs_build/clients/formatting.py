"""Generated Python in the format of the rest: ruff sorts the imports and formats."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


@cache
def formatted(text: str, path: str) -> str:
    """Return the text as ruff formats a file at this path. Raises CalledProcessError for text that is no Python."""
    ruff = Path(sys.executable).with_name("ruff")
    for arguments in (("check", "--fix-only", "--quiet", "--select", "I,F401"), ("format",)):
        text = subprocess.run(  # noqa: S603 -- our own ruff, with fixed arguments
            [ruff, *arguments, "--no-cache", "--stdin-filename", path, "-"],
            input=text,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text
