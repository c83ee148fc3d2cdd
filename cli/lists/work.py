"""`gateway work`: the authorizations that need a person, and `gateway release`."""

from typing import Annotated

import typer
from rich.text import Text

from cli.api_client import DEFAULT_URL, KeyFile, Url, connected, models, operations
from cli.formatting import WIDE, age, local_time
from cli.lists.listing import PAGE, Cells, Columns, Limit, Listing, MetadataOption, parse_metadata, time_ago
from cli.terminal import AsJson, fail, print_json
from console.work_items import Need, holder_of, need_of
from runtime.exits import Exit


def needs_text(item: models.WorkItem) -> str:
    """Describe what a person must do."""
    match need_of(item):
        case Need.FINISH:
            return "finish the handoff"
        case Need.CONTRADICTION:
            return f"{item['lastHandoff'].get('reported')} contradicts the payer"
        case Need.REVIEW:
            return f"{item.get('nextAction', '')}, review {item['coversReviewSnapshotId']} first"
        case Need.OPEN | Need.OTHER_ACTION:
            return item.get("nextAction", "")


def _who_has_it(item: models.WorkItem) -> str:
    holder = holder_of(item["handoff"]) if "handoff" in item else None
    return "" if holder is None else holder.name


def _link_until(item: models.WorkItem, now: str) -> str:
    grant = item["handoff"].get("lastGrant") if "handoff" in item else None
    return local_time(grant["expiresAt"])[11:19] if grant is not None and grant["expiresAt"] > now else ""


def _risk(item: models.WorkItem) -> str:
    return item["handoff"]["risk"]["reason"] if "handoff" in item and "risk" in item["handoff"] else ""


def _due(item: models.WorkItem, now: str) -> Text:
    if (due := item.get("dueAt")) is None:
        return Text()
    return Text(f"overdue {age(due, now)}", "red") if due <= now else Text(f"in {age(now, due)}")


def _lines(cells: Cells) -> tuple[Text, str]:
    named = (
        ("due", "due"),
        ("handoff", "handoff"),
        ("with", "who has it"),
        ("link until", "link until"),
        ("", "at risk"),
    )
    parts = [f"{name} {cells[column]}" for name, column in named if cells[column]]
    head = Text.assemble(
        (str(cells["authorization"]), "bold"), f"  {cells['waits']}  {cells['payer']}  {cells['needs']}"
    )
    return head, ", ".join([*parts, *([str(cells["at risk"])] if cells["at risk"] else [])])


_COLUMNS: Columns[models.WorkItem] = Columns(
    cells={
        "authorization": lambda item, _: item["authorizationId"],
        "due": _due,
        "waits": lambda item, now: age(item["waitingSince"], now),
        "payer": lambda item, _: item.get("payerId", ""),
        "needs": lambda item, _: needs_text(item),
        "handoff": lambda item, _: item["handoff"]["handoffId"] if "handoff" in item else "",
        "who has it": lambda item, _: _who_has_it(item),
        "link until": _link_until,
        "at risk": lambda item, _: _risk(item),
    },
    unwrapped={"due", "waits", "link until"},
    lines=_lines,
    wide=WIDE,
)
WORK: Listing[models.AuthorizationList, models.WorkItem] = Listing(
    entries=lambda page: page["authorizations"], columns=_COLUMNS, empty="No authorization needs this now."
)


def work(
    *,
    needs: Annotated[
        models.Needs, typer.Option(help="person: Collate waits for a person, or a handoff is open.")
    ] = "person",
    payer: Annotated[str | None, typer.Option(help="Collate's id of the payer.")] = None,
    claimed_by: Annotated[
        str | None, typer.Option(metavar="CALLER", help="Who has it in hand, such as people:jo.miller, or none.")
    ] = None,
    caller: Annotated[str | None, typer.Option(help="A caller that has sent a command for it.")] = None,
    metadata: MetadataOption = None,
    waits: Annotated[
        str | None, typer.Option(metavar="DURATION", help="It waits at least so long, such as 30m.")
    ] = None,
    order: Annotated[
        models.WorkOrder,
        typer.Option(help="urgent: what Collate ends within the hour, then by due date, then the longest wait."),
    ] = "urgent",
    limit: Limit = 50,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List the authorizations that need work.

    Example: gateway work --needs handoff --payer payer_example --waits 30m
    """
    call = operations.list_authorizations(
        {
            "needs": needs,
            "payer": payer,
            "claimedBy": claimed_by,
            "caller": caller,
            "metadata": parse_metadata(metadata),
            "before": None if waits is None else _before(waits),
            "order": order,
            "limit": min(PAGE, limit),
        }
    )
    WORK.show(url, key_file, call, limit, as_json=as_json)


def _before(waits: str) -> str:
    try:
        return time_ago(waits)
    except (ValueError, OverflowError):
        fail(Exit.USAGE, "--waits: expected a duration like 30m or 2h")


def release(
    authorization: Annotated[str, typer.Argument(metavar="AUTH", help="Collate's id of the authorization.")],
    handoff: Annotated[str, typer.Argument(metavar="HANDOFF", help="Collate's id of the handoff.")],
    *,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Give back a handoff that you have claimed, with your own token."""
    with connected(url, key_file) as gateway:
        accepted = gateway.send(operations.release_handoff(authorization, handoff))
    if as_json:
        print_json(accepted)
    else:
        typer.echo(f"The release of {handoff} is recorded. `gateway work` shows it as unclaimed soon.")
