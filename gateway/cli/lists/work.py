"""`gateway work`: the authorizations that need a person, and `gateway release`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from gateway.cli.api_client import DEFAULT_URL, ApiClient, AsJson, KeyFile, Url, fail, print_json, report_errors
from gateway.cli.formatting import WIDE, age, local_time
from gateway.cli.lists.listing import Cells, Json, Limit, Listing, MetadataOption, metadata_query
from runtime.exits import Exit
from runtime.units import parse_duration
from schemas.api.lists import Needs
from schemas.times import format_time


def needs_text(item: Json) -> str:
    """Describe what a person must do."""
    last: Json = item.get("lastHandoff") or {}
    if item.get("handoff"):
        return "finish the handoff"
    if item.get("actionRequiredAt") is None and last.get("agreement") == "contradicts":
        return f"{last.get('reported')} contradicts the payer"
    snapshot = item.get("coversReviewSnapshotId")
    return f"{item.get('nextAction', '')}{f', review {snapshot} first' if snapshot else ''}"


def _handoff(item: Json, member: str) -> Json:
    return (item.get("handoff") or {}).get(member) or {}


def _who_has_it(item: Json) -> str:
    claim, grant, request = (_handoff(item, member) for member in ("claim", "lastGrant", "request"))
    return str(claim.get("by") or grant.get("operator") or request.get("requestedBy") or "")


def _link_until(item: Json, now: str) -> str:
    until = _handoff(item, "lastGrant").get("expiresAt")
    return local_time(until)[11:19] if until and until > now else ""


def _lines(cells: Cells) -> tuple[Text, str]:
    named = (("handoff", "handoff"), ("with", "who has it"), ("link until", "link until"), ("", "at risk"))
    parts = [f"{name} {cells[column]}" for name, column in named if cells[column]]
    head = Text.assemble(
        (str(cells["authorization"]), "bold"), f"  {cells['waits']}  {cells['payer']}  {cells['needs']}"
    )
    return head, ", ".join([*parts, *([str(cells["at risk"])] if cells["at risk"] else [])])


WORK = Listing(
    path="authorizations",
    member="authorizations",
    columns={
        "authorization": lambda item, _: item["authorizationId"],
        "waits": lambda item, now: age(item["waitingSince"], now),
        "payer": lambda item, _: item.get("payerId", ""),
        "needs": lambda item, _: needs_text(item),
        "handoff": lambda item, _: (item.get("handoff") or {}).get("handoffId", ""),
        "who has it": lambda item, _: _who_has_it(item),
        "link until": _link_until,
        "at risk": lambda item, _: _handoff(item, "risk").get("reason", ""),
    },
    unwrapped={"waits", "link until"},
    lines=_lines,
    wide=WIDE,
    empty="No authorization needs this now.",
)


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
    query: dict[str, Any] = {
        "needs": needs.value,
        "payer": payer,
        "claimedBy": claimed_by,
        "caller": caller,
        **metadata_query(metadata),
    }
    if waits is not None:
        try:
            query["before"] = format_time(datetime.now(UTC) - parse_duration(waits))
        except (ValueError, OverflowError):
            fail(Exit.USAGE, "--waits: expected a duration like 30m or 2h")
    WORK.show(url, key_file, query, limit, as_json=as_json)


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
