"""`gateway status`: the state of a command."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from cli.api_client import DEFAULT_URL, ApiClient, KeyFile, RequestRejected, Url, connected, models, operations
from cli.formatting import console, local_time, with_local_times
from cli.terminal import AsJson, print_json

CommandArgument = Annotated[str, typer.Argument(metavar="COMMAND", help="The commandId from a 202 response.")]

_MOST_SECONDS: Final = 10
_PAUSE_SECONDS: Final = 0.5


def status(
    command: CommandArgument,
    at: Annotated[
        str | None, typer.Option(help="The `at` from the 202's Location, if the command has just been accepted.")
    ] = None,
    *,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the state of a command: accepted, waiting, dead-lettered or finished, with reason and outcome.

    Waits up to 10 s while the read model may not have the command yet.
    """
    with connected(url, key_file) as gateway:
        found = _found(gateway, command, at)
    if as_json:
        print_json(found)
        return
    rows = Table(box=None, show_header=False, pad_edge=False)
    for name, value in shown_status(found):
        rows.add_row(Text(name, "bold"), Text(value, overflow="fold"))
    console().print(rows)


def _found(gateway: ApiClient, command: str, at: str | None) -> models.CommandStatus:
    """Read the status; wait until the projector reports that it has read everything since this verb began."""
    begun, says = time.monotonic(), f"waiting for the read model, up to {_MOST_SECONDS} s"
    while True:
        try:
            return gateway.read(operations.read_command(command, {"at": at}))
        except RequestRejected as rejection:
            waited, late = time.monotonic() - begun, rejection.members
            has_read_all = late.get("behind") == 0 and float(str(late.get("agoSeconds"))) < waited
            if rejection.slug != "not-found" or has_read_all or waited >= _MOST_SECONDS:
                raise
            if says:
                typer.echo(f"gateway: {rejection}\ngateway: {says}", err=True)
            says = ""
        time.sleep(_PAUSE_SECONDS)


def shown_status(found: models.CommandStatus) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of a command's status: what the last calls returned, then every other field."""
    if (waiting := found.get("waiting")) and (calls := waiting.get("lastCalls")):
        yield "what happened", last_calls(calls)
    for name, value in _flat(found):
        if not name.startswith("waiting.lastCalls."):
            yield name, _time_text(name, value) or str(value)


def last_calls(calls: models.LastCalls) -> str:
    """Return what the last calls to Collate returned, in one sentence.

    For example: get-authorization answered 500 (server_error), 8 times since 2026-11-26 11:04:10+00:00.
    """
    code = calls.get("code", "")
    match calls["result"], calls.get("status"):
        case "not_sent", _:
            what = f"{calls['operation']}: {_CAUSES.get(code, code)}; nothing was sent"
        case _, None:
            what = f"{calls['operation']} was sent; {_CAUSES.get(code, code)}"
        case _, status:
            what = f"{calls['operation']} answered {status}" + (f" ({code})" if code else "")
    count, since = calls["count"], calls["since"]
    return with_local_times(f"{what}, {count} times since {since}" if count > 1 else f"{what}, at {since}")


# The gateway's own causes, where the slug alone is no plain English; adapters/collate/answers.py has all of them.
_CAUSES = {
    "dns": "the name of Collate's address is unknown",
    "connect_refused": "connection refused",
    "unreachable": "no route to Collate",
    "connect_timeout": "no connection within the time limit",
    "tls": "the certificate was not accepted",
    "proxy_unreachable": "no connection to the proxy",
    "proxy_timeout": "the proxy did not respond in time",
    "proxy_credentials": "the proxy refuses the gateway's credentials",
    "proxy_refused": "the proxy refuses to connect to Collate",
    "proxy_failed": "the proxy closed the connection",
    "write_timeout": "the request could not be sent within the time limit",
    "read_timeout": "no response within the time limit",
    "reset": "the connection was reset",
    "closed": "the connection was closed before the response",
    "truncated": "the response was cut off",
    "deadline": "the total time limit passed",
}


def _flat(found: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _time_text(name: str, value: object) -> str | None:
    """Return a timestamp in local time; None for any other value."""
    if not isinstance(value, str) or len(value) < 20 or value[10:11] != "T" or not value.endswith("Z"):
        return None
    try:
        # A command.waiting event is emitted when the reason changes, not for each wait, so `until` may have passed.
        has_passed = name == "waiting.until" and datetime.fromisoformat(value) < datetime.now(UTC)
        return local_time(value) + (" (extended since then, for the same reason)" if has_passed else "")
    except ValueError:
        return None
