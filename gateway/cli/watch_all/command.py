"""`gateway watch-all`: its options, its progress bar and its report."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.api_client import DEFAULT_URL, GatewayUnavailable, KeyFile, Url, connected, operations
from gateway.cli.formatting import progress_bar
from gateway.cli.terminal import AsJson, fail, print_json
from gateway.cli.watch_all.progress import OtherFile, RunProgress
from gateway.cli.watch_all.sender import RETRIES, send_all
from gateway.cli.watch_all.source import read_lines, summarise
from runtime.exits import Exit
from schemas.fields.visible_text import escaped

_SHOWN_FAILURES = 20


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("watch-all", rich_help_panel="Commands and authorizations")(watch_all)


def watch_all(
    *,
    file: Annotated[Path, typer.Option("--from", metavar="FILE", help="Ids on lines, CSV, or JSON lines.")],
    again: Annotated[
        bool, typer.Option("--again", help="Send the whole file, also what an earlier run has sent.")
    ] = False,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Watch all authorizations of a file: one watch command each, sent in batches.

    The file has an id on each line; or it is CSV with a header and the column
    authorizationId; or it has JSON objects with authorizationId on its lines.
    Columns metadata.KEY, and the member metadata, become the command's metadata.

    The verb sends as fast as the commands end, and keeps half of your caller's
    bound of unfinished commands free. It shows the rate and the time left. When
    it ends early, run it again: FILE.progress has the place. FILE.failed lists,
    with line numbers, what was not accepted.

    Exit codes:

      0   every line was accepted
      1   some lines were not accepted, or the gateway rejected the request
      69  the gateway is unavailable
    """
    try:
        summary = summarise(file)
        progress = RunProgress(file, summary.digest, starts_again=again)
    except OtherFile:
        fail(Exit.USAGE, f"{file}.progress belongs to another content of the file. Give --again to send all of it")
    except OSError as error:
        fail(Exit.USAGE, f"{file}: {(error.strerror or 'unreadable').lower()}")
    first = progress.line
    if progress.continues:
        typer.echo(f"gateway: continues behind line {first}", err=True)
    with connected(url, key_file, RETRIES) as gateway, progress_bar("watch-all", summary.lines, first) as advance:
        try:
            # Half of the bound: the caller's other commands find a place during the run.
            window = gateway.send(operations.read_me())["limits"]["unfinishedCommands"] // 2 or 1
            send_all(gateway, read_lines(file, after=first), progress, advance, window=window)
        except GatewayUnavailable as error:
            place = f"{progress.line} of {summary.lines} lines are done; run the same command again to continue"
            raise GatewayUnavailable(f"{error}. {place}") from error
    progress.finish()
    _report(progress, summary.lines, as_json=as_json)
    if progress.failed:
        raise typer.Exit(Exit.FAILED)


def _report(progress: RunProgress, lines: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"lines": lines, "failed": progress.failed})
        return
    if not progress.failed:
        typer.echo(f"All {lines} lines were accepted.")
        return
    with progress.failures_file.open() as failures:
        for _, text in zip(range(_SHOWN_FAILURES), failures, strict=False):
            failure: dict[str, str | int] = json.loads(text)
            names = (f"line {failure['line']}", failure.get("authorization_id"), failure.get("status"))
            typer.echo(escaped(f"{'  '.join(str(name) for name in names if name)}: {failure['reason']}"))
    if progress.failed > _SHOWN_FAILURES:
        typer.echo(f"… and {progress.failed - _SHOWN_FAILURES} more")
    typer.echo(f"{progress.failed} of {lines} lines were not accepted: {progress.failures_file}")
