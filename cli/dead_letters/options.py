"""The options of the verbs about dead letters."""

from dataclasses import dataclass
from typing import Annotated, cast, get_args

import typer

from cli.api_client import DEFAULT_URL, KeyFile, Url, models
from cli.dead_letters.selection import Filters
from cli.lists.listing import parse_since
from cli.terminal import AsJson, Yes, fail
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionOptions:
    """The options of `redrive` and of `discard`, in the order of their help."""

    command_ids: CommandIds = None
    reason: Reason = None
    ticket: Ticket = None
    why: Why = None
    operator: Operator = None
    cause: Cause = None
    command: Type = None
    caller: FromCaller = None
    authorization: Authorization = None
    since: Since = None
    rate: Rate = 5.0
    wait: Wait = 10
    number: Number = None
    everything: Everything = False
    dry_run: DryRun = False
    yes: Yes = False
    url: Url = DEFAULT_URL
    key_file: KeyFile = None
    as_json: AsJson = False

    def filters(self) -> Filters:
        """Return the filters that are set."""
        return filters_of(self.cause, self.command, self.caller, self.authorization, self.since)

    def checked_reason(self) -> models.DecisionReason:
        """Return the reason. Without one, or with a malformed ticket, end with a usage error."""
        if self.reason is None:
            fail(Exit.USAGE, f"--reason is required: one of {', '.join(DECISION_REASONS)}")
        if self.ticket is not None and not is_ticket(self.ticket):
            fail(Exit.USAGE, f"--ticket: expected {TICKET_PHRASE}; use --why for free text")
        return self.reason


def filters_of(
    cause: str | None, command: str | None, caller: str | None, authorization: str | None, since: str | None
) -> Filters:
    """Return the filters that are set."""
    named = {"cause": cause, "command": command, "caller": caller, "authorizationId": authorization}
    if since is not None:
        named["since"] = parse_since(since)
    return cast("Filters", {name: value for name, value in named.items() if value is not None})
