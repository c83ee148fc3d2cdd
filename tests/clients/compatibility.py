"""oasdiff's judgement of OpenAPI documents: whether callers of the old document can use the new one.

`oasdiff_severities.txt` has the severities that differ from oasdiff's own: responses may get new words of a vocabulary.
"""

import copy
import json
from pathlib import Path
from typing import Any, Final

from tests.clients import tools

SEVERITIES: Final = tools.HERE / "oasdiff_severities.txt"
_STATUS: Final = {"type": "object", "required": ["word"], "properties": {"word": {"enum": ["a"], "type": "string"}}}
_SMALL: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {"title": "Small", "version": "1.0.0"},
    "paths": {
        "/status": {
            "get": {
                "operationId": "status",
                "responses": {
                    "200": {"description": "The status.", "content": {"application/json": {"schema": _STATUS}}}
                },
            }
        }
    },
}


def judge(baseline: Path, document: Path) -> None:
    """Raise CommandFailed with the incompatible changes between two documents, warnings included."""
    program = tools.oasdiff(tools.python_tools())
    command = [program, "breaking", baseline, document, "--severity-levels", SEVERITIES, "--fail-on", "WARN"]
    tools.run([*command, "--format", "singleline", "--color", "never"], tools.HERE)


def check_judge(directory: Path) -> None:
    """Compare small documents: a new word must pass, a field that is gone must not. Raises AssertionError."""
    old, word, gone = (directory / f"{name}.json" for name in ("old", "word", "gone"))
    old.write_text(json.dumps(_SMALL))
    word.write_text(json.dumps(_with(enum=["a", "b"], type="string")))
    gone.write_text(json.dumps(_with()))
    judge(old, word)
    try:
        judge(old, gone)
    except tools.CommandFailed:
        return
    raise AssertionError("oasdiff accepts an answer that has lost a field")


def _with(**word: Any) -> dict[str, Any]:
    """Return the small document with another field `word`, or without it."""
    changed = copy.deepcopy(_SMALL)
    status = changed["paths"]["/status"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    status["properties"] = {"word": word} if word else {}
    return changed
