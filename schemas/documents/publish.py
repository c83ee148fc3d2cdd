"""The published documents: a JSON Schema per message, AsyncAPI and OpenAPI, made from the models (schemas/published).

`make docs` writes them.

    python -m schemas.documents.publish             list what breaks readers or callers of the last release; exit 1
    python -m schemas.documents.publish --release   make today's documents the baseline (published/released), if nothing
                                                    breaks

A change that must break readers or callers gets a new type (`...v2`) beside the old one.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_snake

from schemas.api.messages import ANSWERS, AccessGrantBody
from schemas.authorization import AuthorizationRecord
from schemas.commands import COMMANDS, HandoffCloseBody
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.documents.additive import breaks
from schemas.documents.asyncapi import asyncapi
from schemas.documents.json_schema import json_schema
from schemas.documents.openapi import openapi
from schemas.documents.withdrawn import from_callers, from_readers
from schemas.enums import PREFIX
from schemas.events import EVENTS

if TYPE_CHECKING:
    from schemas.model import Model

PUBLISHED = Path(__file__).parents[1] / "published"
RELEASED = PUBLISHED / "released"


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


def rendered() -> dict[str, str]:
    """Return what the files must hold."""
    return {
        path: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for path, document in sorted(documents().items())
    }


def read(path: str) -> bytes:
    """Return a published document, as it is served."""
    return (PUBLISHED / path).read_bytes()


def stale(directory: Path = PUBLISHED) -> list[str]:
    """Return the files that are not what the models say: missing, different, or of no model."""
    wanted = rendered()
    found = {path: file.read_text() for path, file in _files(directory)}
    return sorted(path for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))


def broken(baseline: Path = RELEASED) -> Iterator[str]:
    """Say what readers and callers of the last release would notice."""
    today = documents()
    for path, file in _files(baseline):
        if path not in today:
            yield f"{path}: is gone"
            continue
        old, new = json.loads(file.read_text()), today[path]
        if path == "openapi.json":
            yield from (f"{path}: {found}" for found in from_callers(old, new))
        elif path == "asyncapi.json":
            yield from (f"{path}: {found}" for found in from_readers(old, new))
        else:
            said = path.startswith(("answers/", "events/", "records/"))
            yield from (f"{path}{found.pointer}: {found.what}" for found in breaks(old, new, said=said))


def write(directory: Path) -> None:
    """Write every document below a directory and remove what is no longer one."""
    wanted = rendered()
    for path, text in wanted.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for path, file in _files(directory):
        if path not in wanted:
            file.unlink()


def _files(directory: Path) -> list[tuple[str, Path]]:
    """Return the documents below a directory; the baseline inside the published ones is none of them."""
    found = [(file.relative_to(directory).as_posix(), file) for file in sorted(directory.rglob("*.json"))]
    return [(path, file) for path, file in found if not path.startswith(f"{RELEASED.name}/")]


def main(arguments: list[str]) -> int:
    """Run the command; return the exit code."""
    problems = list(broken())
    if arguments == ["--release"]:
        if not problems:
            write(RELEASED)
    elif arguments:
        problems = [__doc__ or ""]
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")  # noqa: T201 -- what a command says
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
