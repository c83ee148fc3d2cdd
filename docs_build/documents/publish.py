"""The published documents in schemas/published: a JSON Schema for each message, AsyncAPI and OpenAPI.

`make docs` writes them from the models.

`docs_build.baseline` has the documents of the last release. oasdiff finds what is incompatible with them (`make
clients`); such a change needs a new type (`...v2`) beside the old one. `contract_version` has the rule of the version.
"""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_snake

from docs_build.baseline import released_json
from docs_build.documents.asyncapi import asyncapi
from docs_build.documents.contract_version import required_version, version
from docs_build.documents.json_schema import json_schema
from docs_build.documents.openapi.document import openapi
from schemas.api.messages import ANSWERS, AccessGrantBody
from schemas.authorization import AuthorizationRecord
from schemas.commands import COMMANDS, HandoffCloseBody
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.enums import PREFIX
from schemas.events import EVENTS
from schemas.published import PUBLISHED

if TYPE_CHECKING:
    from schemas.model import Model


def documents() -> dict[str, dict[str, Any]]:
    """Return every document by its path below schemas/published."""
    models: dict[str, type[Model]] = {
        f"commands/{name.removeprefix(PREFIX)}.json": model for name, model in COMMANDS.items()
    }
    models |= {f"events/{name.removeprefix(PREFIX)}.json": model for name, model in EVENTS.items()}
    records = (AuthorizationRecord, DeadLetter, DeadLetterEnded)
    models |= {f"records/{model.TYPE.removeprefix(PREFIX)}.json": model for model in records}
    models |= {"bodies/handoff.close.json": HandoffCloseBody, "bodies/access_grant.json": AccessGrantBody}
    models |= {f"answers/{to_snake(model.__name__)}.json": model for model in ANSWERS}
    whole = {"asyncapi.json": asyncapi(), "openapi.json": openapi()}
    return {path: json_schema(model) for path, model in models.items()} | whole


@cache
def rendered() -> dict[str, str]:
    """Return the expected text of each file by its path."""
    return {
        path: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for path, document in sorted(documents().items())
    }


def stale(directory: Path = PUBLISHED) -> list[str]:
    """Return the files that are missing, differ from the models, or have no model."""
    wanted = rendered()
    found = {path: file.read_text() for path, file in _files(directory)}
    return sorted(path for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))


def version_problem() -> str | None:
    """Say that the OpenAPI document's version is too low since the last release. Raises NoTag."""
    before = released_json("schemas/published/openapi.json")
    if before is None:
        return None
    today = documents()["openapi.json"]
    lowest = required_version(before, today)
    return f"info.version must be at least {'.'.join(map(str, lowest))}" if version(today) < lowest else None


def write(directory: Path) -> None:
    """Write all documents below a directory and remove other JSON files."""
    wanted = rendered()
    for path, text in wanted.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for path, file in _files(directory):
        if path not in wanted:
            file.unlink()


def _files(directory: Path) -> list[tuple[str, Path]]:
    return [(file.relative_to(directory).as_posix(), file) for file in sorted(directory.rglob("*.json"))]
