"""`gateway work`: the authorizations that need a person."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.api_client import DEFAULT_URL, ApiClient, AsJson, KeyFile, Url, fail, print_json
from gateway.cli.dead_letters.selection import report_errors
from gateway.cli.formatting import console
from gateway.cli.lists import Limit, MetadataOption, metadata_query, read_rows
from gateway.cli.work.tables import work_table
from runtime.exits import Exit
from runtime.units import parse_duration
from schemas.api.lists import Needs
from schemas.times import format_time


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("work", rich_help_panel="Commands and authorizations")(work)
    app.command("release", rich_help_panel="Commands and authorizations")(release)


def work(
    *,
    needs: Annotated[
        Needs, typer.Option(help="person: Collate waits for a person, or a handoff is open.")
    ] = Needs.PERSON,
    payer: Annotated[str | None, typer.Option(help="Collate's id of the payer.")] = None,
    claimed_by: Annotated[
        str | None, typer.Option(metavar="CALLER", help="Who has it in hand, such as people:jo.miller, or none.")
    ] = None,
    caller: Annotated[str | None, typer.Option(help="A caller that has sent a command for it.")] = None,
    metadata: MetadataOption = None,
    waits: Annotated[
        str | None, typer.Option(metavar="DURATION", help="It waits at least so long, such as 30m.")
    ] = None,
    limit: Limit = 50,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List the authorizations that need work, the longest wait first.

    Example: gateway work --needs handoff --payer payer_example --waits 30m
    """
    now = datetime.now(UTC)
    query: dict[str, Any] = {
        "needs": needs.value,
        "payer": payer,
        "claimedBy": claimed_by,
        "caller": caller,
        **metadata_query(metadata),
    }
    if waits is not None:
        try:
            query["before"] = format_time(now - parse_duration(waits))
        except (ValueError, OverflowError):
            fail(Exit.USAGE, "--waits: expected a duration like 30m or 2h")
    with report_errors():
        items = read_rows(ApiClient(url, key_file), "authorizations", "authorizations", limit, query)
    if as_json:
        for item in items:
            print_json(item)
    elif items:
        page_console = console()
        page_console.print(work_table(items, format_time(now), page_console.width))
    else:
        typer.echo("No authorization needs this now.")


def release(
    authorization: Annotated[str, typer.Argument(metavar="AUTH", help="Collate's id of the authorization.")],
    handoff: Annotated[str, typer.Argument(metavar="HANDOFF", help="Collate's id of the handoff.")],
    *,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Give back a handoff that you have claimed, with your own token."""
    gateway = ApiClient(url, key_file)
    with report_errors():
        accepted = gateway.post("authorizations", authorization, "handoffs", handoff, "release", body={})
    if as_json:
        print_json(accepted)
    else:
        typer.echo(f"The release of {handoff} is recorded. `gateway work` shows it as unclaimed soon.")
