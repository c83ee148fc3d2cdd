"""`gateway commands`: the commands that callers sent, by their state, their caller or their metadata."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from gateway.cli.api_client import DEFAULT_URL, AsJson, KeyFile, Url
from gateway.cli.formatting import age, short_type
from gateway.cli.lists.listing import Cells, Json, Limit, Listing, MetadataOption, metadata_query, parse_since

_COLOURS = {"finished": "green", "accepted": "blue", "waiting": "yellow", "dead_lettered": "red"}


def _lines(cells: Cells) -> tuple[Text, str]:
    more = "".join(f"; {cells[name]}" for name in ("reason", "metadata") if cells[name])
    return (
        Text.assemble(cells["command"], "  ", cells["state"], f"  {cells['accepted']} ago"),
        f"{cells['type']} of {cells['authorization']}, by {cells['caller']}{more}",
    )


def _metadata(command: Json) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted((command.get("metadata") or {}).items()))


COMMANDS = Listing(
    path="commands",
    member="commands",
    columns={
        "command": lambda command, _: command["commandId"],
        "type": lambda command, _: short_type(command.get("type", "unknown")),
        "authorization": lambda command, _: command.get("authorizationId", ""),
        "caller": lambda command, _: command.get("caller", ""),
        "accepted": lambda command, now: age(command.get("acceptedAt"), now),
        "state": lambda command, _: Text(
            command.get("outcome") or command["status"], _COLOURS.get(command["status"], "")
        ),
        "reason": lambda command, _: (command.get("waiting") or command).get("reason") or "",
        "metadata": lambda command, _: _metadata(command),
    },
    unwrapped={"command", "accepted"},
    lines=_lines,
    wide=150,
    empty="No command matches.",
    notes=lambda commands, _: [f"Next: gateway status {commands[0]['commandId']}"],
)


class CommandState(StrEnum):
    """A state in which a command can be; the ingress accepts the same words."""

    ACCEPTED = "accepted"
    WAITING = "waiting"
    DEAD_LETTERED = "dead_lettered"
    FINISHED = "finished"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("commands", rich_help_panel="Commands and authorizations")(list_commands)


def list_commands(
    *,
    authorization: Annotated[str | None, typer.Option(help="Collate's id of the authorization.")] = None,
    status: Annotated[CommandState | None, typer.Option(help="The state of the command.")] = None,
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
    query = {
        "authorizationId": authorization,
        "status": None if status is None else status.value,
        "reason": reason,
        "caller": caller,
        "since": None if since is None else parse_since(since),
        "order": "oldest" if oldest else "newest",
        **metadata_query(metadata),
    }
    COMMANDS.show(url, key_file, query, limit, as_json=as_json)
