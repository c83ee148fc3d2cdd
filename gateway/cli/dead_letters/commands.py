"""`gateway dead-letters list | show | redrive | discard`: the commands that wait for a person, and that person's word.

Everything goes through ingress with a caller's key that may `operate`: no Kafka credentials. What callers wrote is
shown with --reveal alone, which ingress logs.
"""

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.api_client import HERE, ApiClient, AsJson, KeyFile, Url, fail, print_json
from gateway.cli.dead_letters import tables
from gateway.cli.dead_letters.bulk_decisions import Decision, decide_all
from gateway.cli.dead_letters.selection import Filters, chosen, collect, progress, told
from gateway.cli.formatting import console
from runtime.exits import Exit
from schemas.enums import DecisionReason
from schemas.field_types import is_ticket

Cause = Annotated[str | None, typer.Option(help="Only of this cause, e.g. outcome_unknown, too_old.")]
Type = Annotated[str | None, typer.Option("--command", help="Only of this type, e.g. handoff.request.")]
AskedBy = Annotated[str | None, typer.Option("--caller", help="Only what this caller asked.")]
Of = Annotated[str | None, typer.Option("--authorization", help="Only of this authorization.")]
Since = Annotated[str | None, typer.Option(help="Only those given up since: 2h, 3d, or an RFC 3339 time.")]
Operator = Annotated[
    str | None,
    typer.Option(envvar="COLLATE_GATEWAY_OPERATOR", help="Who you are, for the record; your user name if not given."),
]
CommandId = Annotated[str, typer.Argument(metavar="COMMAND", help="The commandId.")]
CommandIds = Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="The commandIds.")]
Everything = Annotated[bool, typer.Option("--all", help="All that the filters leave, instead of naming them.")]
Reason = Annotated[
    DecisionReason | None,
    typer.Option(
        "--reason",
        metavar="WORD",
        help=f"Why; required, and told in events and timeline. One of {', '.join(DecisionReason)}.",
    ),
]
Ticket = Annotated[
    str | None, typer.Option("--ticket", help="Where more is written, e.g. OPS-1204; told with the reason.")
]
Why = Annotated[
    str | None, typer.Option("--why", help="More, in your own words; kept with your request in Kafka alone.")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Ask Collate how each authorization is now, say what would happen, do nothing."),
]
Rate = Annotated[float, typer.Option(min=0.1, max=100, help="How many per second at most.")]
Wait = Annotated[int, typer.Option(min=0, max=30, help="Seconds to wait for the outcome of a single one.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask whether you are sure.")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Commands that could not be finished and wait for a person: look, then redrive or discard.",
    )
    group.command(name="list")(list_them)
    group.command()(show)
    group.command()(redrive)
    group.command()(discard)
    app.add_typer(group, name="dead-letters", rich_help_panel="What happened")


def list_them(
    *,
    cause: Cause = None,
    command: Type = None,
    caller: AskedBy = None,
    authorization: Of = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    url: Url = HERE,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List what waits for a person, the oldest first. Shows nothing that a caller wrote."""
    gateway, filters = ApiClient(url, key_file), Filters(cause, command, caller, authorization, since)
    with told(), progress("reading the dead letters"):
        letters, matching, left_out = collect(gateway, filters, limit)
    if as_json:
        for letter in letters:
            print_json(letter)
        return
    if not letters:
        typer.echo(tables.nothing(is_filtered=filters.are_any))
        return
    shown = console()
    shown.print(tables.table_of(letters, datetime.now(UTC), shown.width))
    for line in tables.after_the_list(letters, matching, left_out):
        typer.echo(line)


def show(
    command_id: CommandId,
    operator: Operator = None,
    *,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show what the caller wrote, too: PHI. That you saw it is logged.")
    ] = False,
    url: Url = HERE,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one: why it was given up, what it asks, what was sent to Collate, and what you can do."""
    gateway = ApiClient(url, key_file)
    with told():
        letter = gateway.read("dead-letters", command_id)
        original = None
        if reveal:
            original = gateway.read("dead-letters", command_id, "original", operator=_operator(operator))
    if as_json:
        print_json(letter | ({"original": original} if original is not None else {}))
        return
    console().print(tables.page_of(letter, original))


def redrive(
    command_ids: CommandIds = None,
    *,
    reason: Reason = None,
    ticket: Ticket = None,
    why: Why = None,
    operator: Operator = None,
    cause: Cause = None,
    command: Type = None,
    caller: AskedBy = None,
    authorization: Of = None,
    since: Since = None,
    rate: Rate = 5.0,
    wait: Wait = 10,
    everything: Everything = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    url: Url = HERE,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Try commands again, each under its own id; what was sent and may have arrived is resolved first.

    Each ends with one more command.finished, or as a dead letter again. Safe to run again after a lost connection.
    Exits 0 if every one was taken, 1 if one was refused, 69 if the gateway could not be reached.
    """
    filters = Filters(cause, command, caller, authorization, since)
    gateway = ApiClient(url, key_file)
    letters = chosen(gateway, command_ids or [], filters, everything=everything)
    decision = None if dry_run else Decision("redrive", _operator(operator), *_said(reason, ticket, why), rate, wait)
    _decide(gateway, letters, decision, verb="redrive", yes=yes, as_json=as_json)


def discard(
    command_ids: CommandIds = None,
    *,
    reason: Reason = None,
    ticket: Ticket = None,
    why: Why = None,
    operator: Operator = None,
    cause: Cause = None,
    command: Type = None,
    caller: AskedBy = None,
    authorization: Of = None,
    since: Since = None,
    rate: Rate = 5.0,
    wait: Wait = 10,
    everything: Everything = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    url: Url = HERE,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Give commands up: each ends with command.finished, outcome discarded. Nothing is sent to Collate or undone there.

    Exits 0 if every one was taken, 1 if one was refused, 69 if the gateway could not be reached.
    """
    filters = Filters(cause, command, caller, authorization, since)
    gateway = ApiClient(url, key_file)
    letters = chosen(gateway, command_ids or [], filters, everything=everything)
    decision = None if dry_run else Decision("discard", _operator(operator), *_said(reason, ticket, why), rate, wait)
    _decide(gateway, letters, decision, verb="discard", yes=yes, as_json=as_json)


def _decide(
    gateway: ApiClient,
    letters: list[dict[str, Any]],
    decision: Decision | None,
    *,
    verb: str,
    yes: bool,
    as_json: bool,
) -> None:
    if not letters:
        typer.echo(tables.nothing(is_filtered=True), err=as_json)
        return
    if decision is None:
        with told():
            _forecast(gateway, letters, verb, as_json=as_json)
        return
    if len(letters) > 1 and not yes:
        _ask(letters, verb)
    with told():
        refused = decide_all(gateway, letters, decision, tell=print_json if as_json else tables.tell)
    if refused:
        raise typer.Exit(Exit.FAILED)


def _forecast(gateway: ApiClient, letters: list[dict[str, Any]], verb: str, *, as_json: bool) -> None:
    from gateway.cli.dead_letters.forecast import forecasts  # noqa: PLC0415 - the worker's table is only for who asks for it

    found = []
    with progress(f"asking Collate how {len(letters)} are"):
        for one in forecasts(gateway, letters, verb, datetime.now(UTC)):
            found.append(one)
            if as_json:
                print_json(one)
    if not as_json:
        console().print(tables.forecast_table(found))
        typer.echo(f"Nothing was done. The same without --dry-run, with --reason, would {verb} {len(found)}.")


def _ask(letters: list[dict[str, Any]], verb: str) -> None:
    typer.echo(f"{verb} {len(letters)}: {tables.by_cause(letters)}", err=True)
    try:
        typer.confirm("Are you sure?", abort=True, err=True)
    except typer.Abort:
        fail(Exit.USAGE, "nothing was done; --yes says that you are sure, --dry-run shows what would happen")


def _said(reason: DecisionReason | None, ticket: str | None, why: str | None) -> tuple[str, str | None, str | None]:
    if reason is None:
        fail(Exit.USAGE, f"--reason is required, one of {', '.join(DecisionReason)}: it is told with the decision")
    if ticket is not None and not is_ticket(ticket):
        fail(Exit.USAGE, "--ticket: expected 1 to 64 characters of A-Z a-z 0-9 . _ : / # -; free text goes into --why")
    return reason.value, ticket, why


def _operator(operator: str | None) -> str:
    try:
        return operator or getpass.getuser()
    except (OSError, KeyError):
        fail(Exit.USAGE, "who are you? give --operator or set COLLATE_GATEWAY_OPERATOR")
