"""The verbs of an operator's decision about one authorization: `version-floor lower` and `recent-commands empty`.

They call ingress with a caller's key that has the permission `operate`.
"""

import uuid
from collections.abc import Callable
from typing import Annotated, Any

import typer

from gateway.cli.api_client import DEFAULT_URL, ApiClient, AsJson, KeyFile, Url, fail, print_json, report_errors
from gateway.cli.dead_letters.commands import Operator, Why
from runtime.exits import Exit
from schemas.enums import DecisionReason
from schemas.fields.scalars import is_ticket

Authorization = Annotated[str, typer.Argument(metavar="AUTHORIZATION", help="The authorization's id.")]
Reason = Annotated[DecisionReason, typer.Option("--reason", metavar="WORD", help="Reason, shown in the event.")]
TicketOption = Annotated[str | None, typer.Option("--ticket", help="Ticket, e.g. OPS-1204; shown in the event.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs, each in a group of its subject."""
    _add_group(
        app,
        "recent-commands",
        "empty",
        empty_recent_commands,
        help_text="Recent commands are those of the last day, by which the worker recognises a repeat.",
    )
    _add_group(
        app,
        "version-floor",
        "lower",
        lower_version_floor,
        help_text="The version floor is the highest version that was read; the gateway believes no lower one.",
    )


def _add_group(app: typer.Typer, name: str, verb: str, function: Callable[..., None], *, help_text: str) -> None:
    group = typer.Typer(no_args_is_help=True, help=help_text)
    group.callback()(_keep_group)
    group.command(name=verb)(function)
    app.add_typer(group, name=name, rich_help_panel="Commands and authorizations")


def _keep_group() -> None:
    # Without a callback Typer makes a group of one verb into that verb.
    pass


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
    _check_ticket(ticket)
    gateway = ApiClient(url, key_file)
    if not yes:
        whose = caller or "all callers"
        question = f"Forget the recent commands of {whose}? A later repeat of one of them is a new command."
        typer.confirm(question, abort=True, err=True)
    body = {"reason": reason.value, "ofCaller": caller, "ticket": ticket, "why": why}
    if _send(gateway, (authorization, "recent-commands", "empty"), body, operator, as_json=as_json):
        typer.echo("Accepted. The event authorization.recent_commands_emptied shows how many commands were forgotten.")


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
    _check_ticket(ticket)
    gateway = ApiClient(url, key_file)
    if not yes:
        question = f"Accept versions from {to} on? Do this only if Collate was restored from a backup."
        typer.confirm(question, abort=True, err=True)
    body = {"reason": reason.value, "toVersion": to, "ticket": ticket, "why": why}
    if _send(gateway, (authorization, "version-floor", "lower"), body, operator, as_json=as_json):
        typer.echo("Accepted. The event authorization.version_floor_lowered shows both versions.")


def _check_ticket(ticket: str | None) -> None:
    """End with a usage error if the ticket is malformed."""
    if ticket is not None and not is_ticket(ticket):
        fail(Exit.USAGE, "--ticket: expected 1 to 64 characters of A-Z a-z 0-9 . _ : / # -")


def _send(
    gateway: ApiClient, path: tuple[str, str, str], body: dict[str, Any], operator: str | None, *, as_json: bool
) -> bool:
    """Send a decision; return whether the caller has to print the result. `path` is authorization, subject and verb."""
    with report_errors():
        stated = {"operator": gateway.operator(operator)} | body
        accepted = gateway.post(
            "authorizations",
            *path,
            body={name: value for name, value in stated.items() if value is not None},
            key=str(uuid.uuid4()),
        )
    if as_json:
        print_json(accepted)
    return not as_json
