"""`gateway commands`: the commands that callers sent, by their state, their caller or their metadata."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from gateway.cli.api_client import DEFAULT_URL, ApiClient, AsJson, KeyFile, Url, print_json
from gateway.cli.commands.tables import commands_table
from gateway.cli.dead_letters.selection import report_errors
from gateway.cli.formatting import console
from gateway.cli.lists import Limit, MetadataOption, metadata_query, parse_since, read_rows
from schemas.times import format_time


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
    with report_errors():
        found = read_rows(ApiClient(url, key_file), "commands", "commands", limit, query)
    if as_json:
        for one in found:
            print_json(one)
    elif found:
        page = console()
        page.print(commands_table(found, format_time(datetime.now(UTC)), page.width))
        typer.echo(f"Next: gateway status {found[0]['commandId']}")
    else:
        typer.echo("No command matches.")
