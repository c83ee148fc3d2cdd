"""oasdiff's judgement of the document beside our own gate (`schemas/documents/compatibility.py`).

`oasdiff.yml` has the severities that differ from oasdiff's own, with reasons.
"""

from pathlib import Path
from typing import Final

from tests.clients import tools

SEVERITIES: Final = tools.HERE / "oasdiff_severities.txt"
MOVE: Final = "docs/changing.md says when and how the baseline moves."


def judge(baseline: Path, document: Path) -> None:
    """Raise CommandFailed with the incompatible changes between two documents, warnings included."""
    program = tools.oasdiff(tools.python_tools())
    command = [program, "breaking", baseline, document, "--severity-levels", SEVERITIES, "--fail-on", "WARN"]
    try:
        tools.run([*command, "--format", "singleline", "--color", "never"], tools.HERE)
    except tools.CommandFailed as error:
        raise tools.CommandFailed(f"{error}\n{MOVE}") from error
