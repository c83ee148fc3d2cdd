"""The verb `gateway recent-commands empty`: gives a caller of one authorization room for new commands.

It calls ingress with a caller's key that has the permission `operate`.
"""

import getpass
import uuid
from typing import Annotated

import typer

from gateway.cli.api_client import DEFAULT_URL, ApiClient, AsJson, KeyFile, Url, fail, print_json
from gateway.cli.dead_letters.commands import Operator, Why
from gateway.cli.dead_letters.selection import report_errors
from runtime.exits import Exit
from schemas.enums import DecisionReason
from schemas.field_types import is_ticket

Reason = Annotated[DecisionReason, typer.Option("--reason", metavar="WORD", help="Reason, shown in the event.")]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Recent commands are those of the last day, by which the worker recognises a repeat.",
    )
    group.callback()(_group)
    group.command()(empty)
    app.add_typer(group, name="recent-commands", rich_help_panel="Commands and authorizations")


def _group() -> None:
    """Recent commands are those of the last day, by which the worker recognises a repeat."""


def empty(
    *,
    authorization: Annotated[str, typer.Argument(metavar="AUTHORIZATION", help="The authorization's id.")],
    reason: Reason,
    caller: Annotated[
        str | None, typer.Option("--caller", help="Forget only the commands of this caller; by default of all.")
    ] = None,
    operator: Operator = None,
    ticket: Annotated[str | None, typer.Option("--ticket", help="Ticket, e.g. OPS-1204; shown in the event.")] = None,
    why: Why = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
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
    if ticket is not None and not is_ticket(ticket):
        fail(Exit.USAGE, "--ticket: expected 1 to 64 characters of A-Z a-z 0-9 . _ : / # -")
    gateway = ApiClient(url, key_file)
    if not yes:
        whose = caller or "all callers"
        question = f"Forget the recent commands of {whose}? A later repeat of one of them is a new command."
        typer.confirm(question, abort=True, err=True)
    body = {
        "operator": operator or getpass.getuser(),
        "reason": reason.value,
        "ofCaller": caller,
        "ticket": ticket,
        "why": why,
    }
    with report_errors():
        accepted = gateway.post(
            "authorizations",
            authorization,
            "recent-commands",
            "empty",
            body={name: value for name, value in body.items() if value is not None},
            key=str(uuid.uuid4()),
        )
    if as_json:
        print_json(accepted)
    else:
        typer.echo("Accepted. The event authorization.recent_commands_emptied shows how many commands were forgotten.")
