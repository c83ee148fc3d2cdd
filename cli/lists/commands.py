"""`gateway commands`: the commands that callers sent, by their state, their caller or their metadata."""

from typing import Annotated

import typer
from rich.text import Text

from cli.api_client import DEFAULT_URL, KeyFile, Url, models, operations
from cli.formatting import age
from cli.lists.listing import (
    PAGE,
    Cells,
    Columns,
    Limit,
    Listing,
    MetadataOption,
    parse_metadata,
    parse_since,
)
from cli.terminal import AsJson
from schemas.enums import short_type

_COLOURS = {"finished": "green", "accepted": "blue", "waiting": "yellow", "dead_lettered": "red"}


def _lines(cells: Cells) -> tuple[Text, str]:
    more = "".join(f"; {cells[name]}" for name in ("reason", "metadata") if cells[name])
    return (
        Text.assemble(cells["command"], "  ", cells["state"], f"  {cells['accepted']} ago"),
        f"{cells['type']} of {cells['authorization']}, by {cells['caller']}{more}",
    )


def _reason(command: models.CommandStatus) -> str:
    return command["waiting"]["reason"] if "waiting" in command else command.get("reason", "")


def _metadata(command: models.CommandStatus) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(command.get("metadata", {}).items()))


_COLUMNS: Columns[models.CommandStatus] = Columns(
    cells={
        "command": lambda command, _: command["commandId"],
        "type": lambda command, _: short_type(command.get("type", "unknown")),
        "authorization": lambda command, _: command.get("authorizationId", ""),
        "caller": lambda command, _: command.get("caller", ""),
        "accepted": lambda command, now: age(command.get("acceptedAt"), now),
        "state": lambda command, _: Text(
            command.get("outcome") or command["status"], _COLOURS.get(command["status"], "")
        ),
        "reason": lambda command, _: _reason(command),
        "metadata": lambda command, _: _metadata(command),
    },
    unwrapped={"command", "accepted"},
    lines=_lines,
    wide=150,
)
COMMANDS: Listing[models.CommandList, models.CommandStatus] = Listing(
    entries=lambda page: page["commands"],
    columns=_COLUMNS,
    empty="No command matches.",
    notes=lambda commands, _: [f"Next: gateway status {commands[0]['commandId']}"],
)


def list_commands(
    *,
    authorization: Annotated[str | None, typer.Option(help="Collate's id of the authorization.")] = None,
    status: Annotated[models.CommandState | None, typer.Option(help="The state of the command.")] = None,
    kind: Annotated[models.CommandKind | None, typer.Option(help="What the command asks for.")] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why it waits, or was not applied, such as too_many_commands.")
    ] = None,
    caller: Annotated[str | None, typer.Option(help="The caller that sent the command.")] = None,
    metadata: MetadataOption = None,
    since: Annotated[str | None, typer.Option(help="Accepted since this time: 2h, 3d, or an RFC 3339 time.")] = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first, instead of the newest.")] = False,
    limit: Limit = 50,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List commands, the newest first: your own, or with the permission authorization:read those of all callers.

    Example: gateway commands --status waiting --metadata case=case-0042
    """
    call = operations.list_commands(
        {
            "authorizationId": authorization,
            "status": status,
            "kind": kind,
            "reason": reason,
            "caller": caller,
            "metadata": parse_metadata(metadata),
            "since": None if since is None else parse_since(since),
            "order": "oldest" if oldest else "newest",
            "limit": min(PAGE, limit),
        }
    )
    COMMANDS.show(url, key_file, call, limit, as_json=as_json)
