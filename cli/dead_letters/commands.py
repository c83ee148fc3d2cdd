"""The verbs `gateway dead-letters list`, `show`, `redrive` and `discard`.

They call ingress with a caller's key that has the permission `operate`; they need no Kafka credentials. Only --reveal
shows text that a caller wrote, and ingress logs each use.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, cast, get_args

import typer

from cli.api_client import DEFAULT_URL, ApiClient, KeyFile, Url, connected, models, operations
from cli.dead_letters import tables
from cli.dead_letters.bulk_decisions import decide_matching
from cli.dead_letters.decisions import (
    RETRIES,
    DeadLetter,
    Decision,
    DecisionResult,
    DryRunResult,
    Verb,
    decide_each,
)
from cli.dead_letters.selection import Filters, Matching, select
from cli.formatting import console, progress
from cli.lists.listing import PAGE, Limit, parse_since
from cli.terminal import AsJson, Yes, fail, print_json
from runtime.exits import Exit
from schemas.fields.scalars import TICKET_PHRASE, is_ticket

DECISION_REASONS: tuple[models.DecisionReason, ...] = get_args(models.DecisionReason)
Cause = Annotated[str | None, typer.Option(help="Only with this cause, e.g. outcome_unknown, too_old.")]
Type = Annotated[str | None, typer.Option("--command", help="Only commands of this type, e.g. handoff.request.")]
FromCaller = Annotated[str | None, typer.Option("--caller", help="Only commands of this caller.")]
Authorization = Annotated[str | None, typer.Option("--authorization", help="Only commands of this authorization.")]
Since = Annotated[str | None, typer.Option(help="Only dead letters since this time: 2h, 3d, or an RFC 3339 time.")]
Operator = Annotated[
    str | None,
    typer.Option(
        envvar="COLLATE_GATEWAY_OPERATOR",
        help="Your name, for the record; by default that of your token, or your user name.",
    ),
]
CommandId = Annotated[str, typer.Argument(metavar="COMMAND", help="The commandId.")]
CommandIds = Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="The commandIds.")]
Everything = Annotated[bool, typer.Option("--all", help="Select all that match the filters, instead of ids.")]
Reason = Annotated[
    models.DecisionReason | None,
    typer.Option(
        "--reason",
        metavar="WORD",
        help=f"Reason; required, shown in events and timeline. One of {', '.join(DECISION_REASONS)}.",
    ),
]
Ticket = Annotated[
    str | None, typer.Option("--ticket", help="Ticket, e.g. OPS-1204; shown in events and timeline as well.")
]
Why = Annotated[
    str | None, typer.Option("--why", help="Explanation in your own words; stored only in Kafka, with your decision.")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Read the current state at Collate and forecast each result. Changes nothing."),
]
Rate = Annotated[
    float, typer.Option(min=0.1, max=100, help="Decisions per second; with --all an average, in steps of up to 20.")
]
Wait = Annotated[int, typer.Option(min=0, max=30, help="Seconds to wait for the outcome of a single command.")]
Number = Annotated[int | None, typer.Option(min=0, max=999, help="The number that `show` printed, with one COMMAND.")]


_EXIT_CODES = """Exit codes:

  0   all decisions were accepted
  1   at least one decision was rejected, or more dead letters match than were listed
  69  the gateway is unavailable"""
_REDRIVE_HELP = f"""Apply commands again, each under its own id. The worker first resolves writes that may have arrived.

Each command ends with a new command.finished event, or becomes a dead
letter again. Safe to repeat. {_EXIT_CODES}"""
_DISCARD_HELP = f"""End commands with the outcome `discarded`. Sends nothing to Collate and undoes nothing there.

{_EXIT_CODES}"""


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Dead letters are commands that could not be finished. Inspect, redrive or discard them.",
    )
    group.command(name="list")(list_them)
    group.command()(show)
    group.command(name="redrive", help=_REDRIVE_HELP)(decide)
    group.command(name="discard", help=_DISCARD_HELP)(decide)
    app.add_typer(group, name="dead-letters", rich_help_panel="Commands and authorizations")


def list_them(
    *,
    cause: Cause = None,
    command: Type = None,
    caller: FromCaller = None,
    authorization: Authorization = None,
    since: Since = None,
    limit: Limit = 50,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first, without any text that a caller wrote."""
    filters = _filters(cause, command, caller, authorization, since)
    call = operations.list_dead_letters({**filters, "limit": min(PAGE, limit)})
    empty = tables.NONE_MATCHES if filters else None
    tables.DEAD_LETTERS.show(url, key_file, call, limit, as_json=as_json, empty=empty)


def show(
    command_id: CommandId,
    operator: Operator = None,
    *,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Also show the text that the caller wrote: PHI. This read is on record.")
    ] = False,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: its cause, its content, the writes sent to Collate, and the possible decisions."""
    original = None
    with connected(url, key_file) as gateway:
        dead_letter = gateway.read(operations.read_dead_letter(command_id))
        if reveal:
            by = gateway.operator(operator)
            original = gateway.read(operations.read_dead_letter_original(command_id, {"operator": by}))
    if as_json:
        print_json({**dead_letter, "original": original} if original is not None else dead_letter)
        return
    console().print(tables.details(dead_letter, original))


def decide(
    context: typer.Context,
    command_ids: CommandIds = None,
    *,
    reason: Reason = None,
    ticket: Ticket = None,
    why: Why = None,
    operator: Operator = None,
    cause: Cause = None,
    command: Type = None,
    caller: FromCaller = None,
    authorization: Authorization = None,
    since: Since = None,
    rate: Rate = 5.0,
    wait: Wait = 10,
    number: Number = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Redrive or discard dead letters; the verb is the name of the command."""
    filters = _filters(cause, command, caller, authorization, since)
    verb: Verb = "redrive" if context.info_name == "redrive" else "discard"
    checked = None if dry_run else _checked(reason, ticket, why)
    if number is not None and len(command_ids or []) != 1:
        fail(Exit.USAGE, "--number: expected exactly one COMMAND with it")
    with connected(url, key_file, RETRIES) as gateway:
        seen = select(gateway, command_ids or [], filters, everything=everything)
        dead_letters = seen.dead_letters if isinstance(seen, Matching) else seen
        if not dead_letters:
            typer.echo(tables.NONE_MATCHES, err=as_json)
            return
        if checked is None:
            _forecast(gateway, dead_letters, verb, as_json=as_json)
            return
        decision = Decision(verb, gateway.operator(operator), *checked, rate, wait, number)
        if len(dead_letters) > 1 and not yes:
            _confirm(dead_letters, verb)
        report = print_json if as_json else _print_result
        # One dead letter has a request of its own, which can wait for the outcome.
        if isinstance(seen, Matching) and len(dead_letters) > 1:
            rejected = decide_matching(gateway, seen, decision, report)
        else:
            rejected = decide_each(gateway, dead_letters, decision, report)
    if rejected:
        raise typer.Exit(Exit.FAILED)


def _filters(
    cause: str | None, command: str | None, caller: str | None, authorization: str | None, since: str | None
) -> Filters:
    """Return the filters that are set."""
    named = {"cause": cause, "command": command, "caller": caller, "authorizationId": authorization}
    if since is not None:
        named["since"] = parse_since(since)
    return cast("Filters", {name: value for name, value in named.items() if value is not None})


def _forecast(gateway: ApiClient, dead_letters: Sequence[DeadLetter], verb: Verb, *, as_json: bool) -> None:
    from cli.dead_letters.dry_run import forecasts  # noqa: PLC0415 - only a dry run needs the worker's rules

    found: list[DryRunResult] = []
    with progress(f"reading {len(dead_letters)} authorizations at Collate"):
        for forecast in forecasts(gateway, dead_letters, verb, datetime.now(UTC)):
            found.append(forecast)
            if as_json:
                print_json(forecast)
    if not as_json:
        console().print(tables.forecast_table(found))
        typer.echo(f"Nothing was changed. To {verb} {len(found)}, replace --dry-run with --reason WORD.")


def _print_result(result: DecisionResult) -> None:
    typer.echo(tables.result_line(result))


def _confirm(dead_letters: Sequence[DeadLetter], verb: Verb) -> None:
    typer.echo(f"{verb} {len(dead_letters)}: {tables.by_cause(dead_letters)}", err=True)
    try:
        typer.confirm("Are you sure?", abort=True, err=True)
    except typer.Abort:
        fail(Exit.USAGE, "nothing was changed; --yes skips this question, --dry-run forecasts the results")


def _checked(
    reason: models.DecisionReason | None, ticket: str | None, why: str | None
) -> tuple[models.DecisionReason, str | None, str | None]:
    if reason is None:
        fail(Exit.USAGE, f"--reason is required: one of {', '.join(DECISION_REASONS)}")
    if ticket is not None and not is_ticket(ticket):
        fail(Exit.USAGE, f"--ticket: expected {TICKET_PHRASE}; use --why for free text")
    return reason, ticket, why
