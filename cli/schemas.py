"""`gateway schemas`: prints the published JSON Schemas."""

from typing import Annotated

import typer

from cli.terminal import fail
from runtime.exits import Exit
from schemas.enums import PREFIX
from schemas.events import EVENTS
from schemas.published import read

_AUTHORIZATION = f"{PREFIX}authorization.v1"


def show(type_: Annotated[str, typer.Argument(metavar="TYPE", help="A CloudEvents type, or a dataschema.")]) -> None:
    """Print the JSON Schema of an event or of the record on `authorizations`.

    gateway schemas show collate-gateway.handoff.opened.v1
    gateway schemas show urn:collate-gateway:handoff:opened:v1
    """
    name = type_.removeprefix("urn:").replace(":", ".") if type_.startswith("urn:") else type_
    published = _published()
    if name not in published:
        fail(Exit.USAGE, f"There is no such type. Known types: {', '.join(published)}")
    typer.echo(published[name], nl=False)


def _published() -> dict[str, str]:
    """Return the JSON Schemas of the events and of the record on `authorizations`, by type."""
    # Help of other verbs does not load the models.
    paths = {type_: f"events/{type_.removeprefix(PREFIX)}.json" for type_ in EVENTS}
    paths[_AUTHORIZATION] = f"records/{_AUTHORIZATION.removeprefix(PREFIX)}.json"
    return {type_: read(path).decode() for type_, path in sorted(paths.items())}
