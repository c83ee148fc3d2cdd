"""The verbs of an operator's decision about one authorization: `version-floor lower` and `recent-commands empty`.

They call ingress with a caller's key that has the permission `operate`.
"""

from typing import Annotated

import typer

from cli.api_client import DEFAULT_URL, KeyFile, Url, connected, models, operations
from cli.dead_letters.decisions import RETRIES
from cli.dead_letters.options import Operator, Why
from cli.terminal import AsJson, Yes, fail, print_json
from runtime.exits import Exit
from schemas.fields.scalars import TICKET_PHRASE, is_ticket

Authorization = Annotated[str, typer.Argument(metavar="AUTHORIZATION", help="The authorization's id.")]
Reason = Annotated[models.DecisionReason, typer.Option("--reason", metavar="WORD", help="Reason, shown in the event.")]
TicketOption = Annotated[str | None, typer.Option("--ticket", help="Ticket, e.g. OPS-1204; shown in the event.")]


def empty_recent_commands(
    *,
    authorization: Authorization,
    reason: Reason,
    caller: Annotated[
        str | None, typer.Option("--caller", help="Forget only the commands of this caller; by default of all.")
    ] = None,
    operator: Operator = None,
    ticket: TicketOption = None,
    why: Why = None,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Forget recent commands, so that a caller with too many commands has room again.

    A later repeat of a forgotten command is a new command. It may take effect
    a second time, for example open a second handoff.

      gateway recent-commands empty AUTHORIZATION --caller reporting --reason fix_deployed

    Exit codes:

      0   the decision was accepted
      1   the decision was rejected
      69  the gateway is unavailable
    """
    question = (
        f"Forget the recent commands of {caller or 'all callers'}? A later repeat of one of them is a new command."
    )
    _check(ticket, question, yes=yes)
    with connected(url, key_file, RETRIES) as gateway:
        by = gateway.operator(operator)
        body: models.RecentCommandsDecision = {
            "operator": by,
            "reason": reason,
            "ofCaller": caller,
            "ticket": ticket,
            "why": why,
        }
        accepted = gateway.send(operations.empty_recent_commands(authorization, body))
    _report(accepted, "authorization.recent_commands_emptied shows how many commands were forgotten", as_json=as_json)


def lower_version_floor(
    *,
    authorization: Authorization,
    to: Annotated[int, typer.Option("--to", min=0, help="The version that Collate shows now, or less.")],
    reason: Reason,
    operator: Operator = None,
    ticket: TicketOption = None,
    why: Why = None,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Accept lower versions of an authorization, after Collate was restored from a backup.

    The gateway then follows what Collate shows now. Commands that wait for
    it continue. Without a restored backup, wait: a replica may lag.

      gateway version-floor lower AUTHORIZATION --to 12 --reason collate_recovered

    Exit codes:

      0   the decision was accepted
      1   the decision was rejected
      69  the gateway is unavailable
    """
    question = f"Accept versions from {to} on? Do this only if Collate was restored from a backup."
    _check(ticket, question, yes=yes)
    with connected(url, key_file, RETRIES) as gateway:
        by = gateway.operator(operator)
        body: models.VersionFloorDecision = {
            "operator": by,
            "reason": reason,
            "toVersion": to,
            "ticket": ticket,
            "why": why,
        }
        accepted = gateway.send(operations.lower_version_floor(authorization, body))
    _report(accepted, "authorization.version_floor_lowered shows both versions", as_json=as_json)


def _check(ticket: str | None, question: str, *, yes: bool) -> None:
    """End with a usage error if the ticket is malformed, or without the operator's confirmation."""
    if ticket is not None and not is_ticket(ticket):
        fail(Exit.USAGE, f"--ticket: expected {TICKET_PHRASE}")
    if not yes:
        typer.confirm(question, abort=True, err=True)


def _report(
    accepted: models.RecentCommandsAccepted | models.VersionFloorAccepted, event: str, *, as_json: bool
) -> None:
    if as_json:
        print_json(accepted)
    else:
        typer.echo(f"Accepted. The event {event}.")
