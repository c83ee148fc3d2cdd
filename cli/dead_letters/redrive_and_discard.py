"""The verbs `gateway dead-letters redrive` and `discard`.

They call ingress with a caller's key that has the permission `operate`; they need no Kafka credentials.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from cli.api_client import ApiClient, connected
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
from cli.dead_letters.dry_run import forecasts
from cli.dead_letters.options import DecisionOptions
from cli.dead_letters.selection import Matching, select
from cli.formatting import console, progress
from cli.terminal import fail, print_json, with_options
from runtime.exits import Exit


@with_options(DecisionOptions)
def redrive(options: DecisionOptions) -> None:
    """Apply commands again, each under its own id. The worker first resolves writes that may have arrived.

    Each command ends with a new command.finished event, or becomes a dead
    letter again. Safe to repeat. Exit codes:

      0   all decisions were accepted
      1   at least one decision was rejected, or more dead letters match than were listed
      69  the gateway is unavailable
    """
    _decide("redrive", options)


@with_options(DecisionOptions)
def discard(options: DecisionOptions) -> None:
    """End commands with the outcome `discarded`. Sends nothing to Collate and undoes nothing there.

    Exit codes:

      0   all decisions were accepted
      1   at least one decision was rejected, or more dead letters match than were listed
      69  the gateway is unavailable
    """
    _decide("discard", options)


def _decide(verb: Verb, options: DecisionOptions) -> None:
    ids, filters, as_json = options.command_ids or [], options.filters(), options.as_json
    reason = None if options.dry_run else options.checked_reason()
    if options.number is not None and len(ids) != 1:
        fail(Exit.USAGE, "--number: expected exactly one COMMAND with it")
    with connected(options.url, options.key_file, RETRIES) as gateway:
        seen = select(gateway, ids, filters, everything=options.everything)
        dead_letters = seen.dead_letters if isinstance(seen, Matching) else seen
        if not dead_letters:
            typer.echo(tables.NONE_MATCHES, err=as_json)
            return
        if reason is None:
            _forecast(gateway, dead_letters, verb, as_json=as_json)
            return
        decision = Decision(
            verb=verb,
            operator=gateway.operator(options.operator),
            reason=reason,
            ticket=options.ticket,
            why=options.why,
            per_second=options.rate,
            wait_seconds=options.wait,
            number=options.number,
        )
        if len(dead_letters) > 1 and not options.yes:
            _confirm(dead_letters, verb)
        report = print_json if as_json else _print_result
        # One dead letter has a request of its own, which can wait for the outcome.
        if isinstance(seen, Matching) and len(dead_letters) > 1:
            rejected = decide_matching(gateway, seen, decision, report)
        else:
            rejected = decide_each(gateway, dead_letters, decision, report)
    if rejected:
        raise typer.Exit(Exit.FAILED)


def _forecast(gateway: ApiClient, dead_letters: Sequence[DeadLetter], verb: Verb, *, as_json: bool) -> None:
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
