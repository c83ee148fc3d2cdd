"""The published documents in schemas/published: a JSON Schema for each message, AsyncAPI and OpenAPI.

`make docs` writes them from the models.

    python -m docs_build.documents.publish             list the incompatible changes since the last release, without
                                                    those of OpenAPI, which oasdiff finds (`make clients`); exit 1
                                                    if there is one
    python -m docs_build.documents.publish --release   make today's documents and decisions the baseline
                                                    (published/released), if there is no such change

Before the first release there is no baseline. An incompatible change needs a new type (`...v2`) beside the old one.
`contract_version` has the rule of the version.
"""

import json
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_snake

from docs_build import decisions
from docs_build.documents.asyncapi import asyncapi
from docs_build.documents.compatibility import asyncapi_breaks
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

RELEASED = PUBLISHED / "released"
# Together these have every message, body and answer.
BASELINE = ("asyncapi.json", "openapi.json")


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


def release_breaks(released: Path = RELEASED) -> list[str]:
    """Return the incompatible changes since the last release; none before the first one."""
    if not released.exists():
        return []
    today = documents()
    asyncapi_before, openapi_before = (json.loads((released / path).read_text()) for path in BASELINE)
    breaks = [f"asyncapi.json: {found}" for found in asyncapi_breaks(asyncapi_before, today["asyncapi.json"])]
    lowest = required_version(openapi_before, today["openapi.json"])
    if version(today["openapi.json"]) < lowest:
        breaks.append(f"openapi.json: info.version must be at least {'.'.join(map(str, lowest))}")
    return breaks


def baseline() -> dict[str, str]:
    """Return today's baseline: the text of each file by its name."""
    return {path: rendered()[path] for path in BASELINE} | {decisions.RELEASED.name: decisions.text()}


def write_baseline(directory: Path) -> None:
    """Make today's documents the baseline."""
    directory.mkdir(exist_ok=True)
    for path, text in baseline().items():
        (directory / path).write_text(text)


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
    """Return the documents below a directory, without those of the baseline."""
    found = [(file.relative_to(directory).as_posix(), file) for file in sorted(directory.rglob("*.json"))]
    return [(path, file) for path, file in found if not path.startswith(f"{RELEASED.name}/")]


def main(arguments: list[str]) -> int:
    """Run the command; return the exit code."""
    problems = release_breaks(RELEASED)
    if arguments == ["--release"]:
        if not problems:
            write_baseline(RELEASED)
    elif arguments:
        problems = [__doc__ or ""]
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")  # noqa: T201 -- the command's output
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
