"""`gateway status`, `timeline` and `watch`: the state of a command, and the history of an authorization."""

import contextlib
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from gateway.cli.api_client import DEFAULT_URL, ApiClient, AsJson, GatewayUnavailable, KeyFile, Url, fail, print_json
from gateway.cli.formatting import console, day_of, entry_of, headline, local_time, with_local_times
from runtime.exits import Exit

_PANEL = "Commands and authorizations"
_EVERY_SECONDS = 1.0
_SETTLED = frozenset({"authorization.settled", "authorization.watch_ended"})
CommandArgument = Annotated[str, typer.Argument(metavar="COMMAND", help="The commandId from a 202 response.")]
AuthorizationArgument = Annotated[str, typer.Argument(metavar="AUTH", help="Collate's id of the authorization.")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(rich_help_panel=_PANEL)(status)
    app.command(rich_help_panel=_PANEL)(timeline)
    app.command(rich_help_panel=_PANEL)(watch)


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
    """Show the state of a command: accepted, waiting, dead-lettered or finished, with reason and outcome."""
    client = ApiClient(url, key_file)
    try:
        found = client.get("commands", command, at=at)
    except GatewayUnavailable as error:
        fail(Exit.UNAVAILABLE, str(error))
    if as_json:
        print_json(found)
        return
    rows = Table(box=None, show_header=False, pad_edge=False)
    if calls := (found.get("waiting") or {}).pop("lastCalls", None):
        rows.add_row(Text("what happened", "bold"), Text(last_calls(calls), overflow="fold"))
    for name, value in _flat(found):
        rows.add_row(Text(name, "bold"), Text(_time_text(name, value) or str(value), overflow="fold"))
    console().print(rows)


def last_calls(calls: dict[str, Any]) -> str:
    """Return what the last calls to Collate returned, in one sentence.

    For example: get-authorization answered 500 (server_error), 8 times since 2026-11-26 11:04:10+00:00.
    """
    code = str(calls.get("code", ""))
    match calls["result"], calls.get("status"):
        case "not_sent", _:
            what = f"{calls['operation']}: {_CAUSES.get(code, code)}; nothing was sent"
        case _, None:
            what = f"{calls['operation']} was sent; {_CAUSES.get(code, code)}"
        case _, status:
            what = f"{calls['operation']} answered {status}" + (f" ({code})" if code else "")
    count, since = calls["count"], f"{calls['since']}"
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


def timeline(
    authorization: AuthorizationArgument, *, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show the history of an authorization in order: commands, calls to Collate, and events."""
    client = ApiClient(url, key_file)
    try:
        entries = list(client.timeline(authorization))
    except GatewayUnavailable as error:
        fail(Exit.UNAVAILABLE, str(error))
    if as_json:
        for entry in entries:
            print_json(entry)
        return
    if not entries:
        fail(Exit.FAILED, f"{authorization} is unknown: it has no commands, or its entries have expired")
    _Timeline().show(entries)


def watch(
    authorization: AuthorizationArgument, *, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show new entries of an authorization live, until it is settled or you press Ctrl-C.

    Retries while the gateway or its database is unavailable.
    """
    client = ApiClient(url, key_file)
    with contextlib.suppress(KeyboardInterrupt):
        _watch(client, authorization, as_json=as_json)


def _watch(client: ApiClient, authorization: str, *, as_json: bool) -> None:
    printed = _Timeline()
    seen: set[tuple[Any, ...]] = set()
    last_problem = ""
    while True:
        problem = ""
        try:
            new = [entry for entry in client.timeline(authorization) if _identity(entry) not in seen]
        except GatewayUnavailable as error:
            new, problem = [], f"{error}; retrying"
        if not (seen or new or problem):
            problem = f"{authorization} has no entries yet; waiting"
        if problem and problem != last_problem:
            typer.echo(f"gateway: {problem}", err=True)
        last_problem = problem
        seen.update(_identity(entry) for entry in new)
        if as_json:
            for entry in new:
                print_json(entry)
        else:
            printed.show(new)
        if any(entry["kind"] in _SETTLED for entry in new):
            return
        time.sleep(_EVERY_SECONDS)


class _Timeline:
    """A printer of entries that prints each day above its first entry."""

    def __init__(self) -> None:
        self._console = console()
        self._day: str | None = None

    def show(self, entries: Iterable[dict[str, Any]]) -> None:
        """Print entries."""
        for entry in entries:
            if self._day is None and (head := headline(self._console.width)):
                self._console.print(head)
            if (day := day_of(entry)) != self._day:
                self._day = day
                self._console.print(Text(day, "bold"))
            for line in entry_of(entry, self._console.width):
                self._console.print(line)


def _identity(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry["at"], entry["kind"], entry.get("sequence"), entry.get("commandId")


def _flat(found: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, dict):
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
