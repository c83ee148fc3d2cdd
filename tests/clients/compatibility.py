"""oasdiff's judgement: whether callers and readers of the released documents can use today's.

It reads OpenAPI. For it, a record of AsyncAPI is a request if callers send it (a command), and a response if they read
it; so a command may get wider, and an event may not. `oasdiff_severities.txt` has the severities that differ from
oasdiff's own: responses may get new words of a vocabulary.
"""

import copy
import json
from pathlib import Path
from typing import Any, Final

from docs_build.baseline import released_json
from schemas.published import PUBLISHED
from tests.clients import tools

SEVERITIES: Final = tools.HERE / "oasdiff_severities.txt"
Json = dict[str, Any]


def compare(document: Path, directory: Path) -> bool:
    """Compare both documents with the last release; return whether there is one.

    Raises NoTag, and CommandFailed with the incompatible changes, warnings included.
    """
    asyncapi = json.loads((PUBLISHED / "asyncapi.json").read_text())
    check_judge(asyncapi, directory)
    before = {name: released_json(f"schemas/published/{name}.json") for name in ("openapi", "asyncapi")}
    if None in before.values():
        return False
    judge(before["openapi"], json.loads(document.read_text()), directory)
    judge(as_openapi(before["asyncapi"]), as_openapi(asyncapi), directory)
    return True


def judge(old: Json, new: Json, directory: Path) -> None:
    """Raise CommandFailed with the incompatible changes between two OpenAPI documents."""
    paths = directory / "old.json", directory / "new.json"
    for path, document in zip(paths, (old, new), strict=True):
        path.write_text(json.dumps(document))
    program = tools.oasdiff(tools.python_tools())
    command = [program, "breaking", *paths, "--severity-levels", SEVERITIES, "--fail-on", "WARN"]
    tools.run([*command, "--format", "singleline", "--color", "never"], tools.HERE)


def as_openapi(document: Json) -> Json:
    """Return the records of an AsyncAPI document as requests and responses, by topic and type."""
    paths, messages = {}, document["components"]["messages"]
    for name, channel in document["channels"].items():
        for title in channel["messages"]:
            message = messages[title]
            parts = {part: message[part] for part in ("headers", "payload")}
            request = (
                {"requestBody": {"required": True, **_content(parts.pop("payload"))}} if name == "commands" else {}
            )
            read = {"type": "object", "required": list(parts), "properties": parts}
            told = {"responses": {"200": {"description": title, **_content(read)}}, **request}
            paths[f"/{channel['address']}/{message['name']}"] = {"post": told}
    info = {"title": "Records", "version": "1"}
    return {
        "openapi": "3.1.0",
        "info": info,
        "paths": paths,
        "components": {"schemas": document["components"]["schemas"]},
    }


def _content(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}


def check_judge(asyncapi: Json, directory: Path) -> None:
    """Plant changes: what old callers and readers can live with must pass, nothing else. Raises AssertionError."""
    text = {"type": "string"}
    event, command = ("components", "schemas", "HandoffOpened"), ("components", "schemas", "HandoffRequest")
    fine: Json = {
        (*event, "properties", "new"): text,
        (*command, "properties", "new"): text,
        ("components", "schemas", "CommandFinished.AssertedBy", "enum"): ["new"],
    }
    broken: Json = {
        ("channels", "events", "messages", "HandoffOpened"): ...,
        ("components", "messages", "HandoffOpened", "name"): "other",
        ("components", "schemas", "eventHeaders", "required"): [],
        (*event, "properties", "handoffId"): ...,
        (*event, "required"): [],
        (*command, "properties", "requestedBy"): ...,
        (*command, "properties", "dueAt"): text,
        (*command, "required"): ["dueAt"],
    }
    for where, value in (fine | broken).items():
        try:
            judge(as_openapi(asyncapi), as_openapi(_planted(asyncapi, where, value)), directory)
        except tools.CommandFailed:
            assert where in broken, f"oasdiff refuses {where}"
        else:
            assert where in fine, f"oasdiff accepts {where}"


def _planted(document: Json, where: tuple[str, ...], value: Any) -> Json:
    changed = copy.deepcopy(document)
    *way, last = where
    place = changed
    for name in way:
        place = place[name]
    if value is ...:
        del place[last]
    elif isinstance(place.get(last), list) and value:
        place[last] = place[last] + value
    else:
        place[last] = value
    return changed
