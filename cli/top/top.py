"""`gateway top`: a live overview of the gateway: rates, waiting commands and their reasons, the oldest commands.

The overview comes from ingress, with a caller's key. With --admin, the admin ports of processes add why a process is
not ready, and of workers lag, partitions that do not run, waiting keys, breakers and call budget. An admin port answers
also while ingress, Kafka or the database does not.
"""

import contextlib
import time
from dataclasses import replace
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.api_client import (
    DEFAULT_URL,
    ApiClient,
    GatewayUnavailable,
    KeyFile,
    Url,
    connected,
    models,
    operations,
)
from cli.formatting import console, local_time
from cli.terminal import AsJson, fail, print_json
from cli.top.processes import read_processes
from cli.top.screen import Seen, page
from runtime.exits import Exit

Admins = Annotated[
    list[str] | None,
    typer.Option(
        "--admin",
        "--worker",
        metavar="[NAME=]URL",
        envvar="COLLATE_GATEWAY_ADMIN",
        help="Admin port of a process, with its name for the row of one that does not answer; shows why it is not "
        "ready, of a worker lag, breakers and budget, of a deliverer its subscriptions; repeatable.",
    ),
]


def top(
    admin: Admins = None,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two updates.")] = 2.0,
    *,
    once: Annotated[bool, typer.Option("--once", help="Show one overview, then exit.")] = False,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show commands in progress live: rates, the oldest unfinished commands, and the reasons why they wait.

    Without a terminal, or with --json, prints each update below the last one.
    """
    output = console()
    admins = [_valid_url(admin_url) for admin_url in admin or []]
    with contextlib.suppress(KeyboardInterrupt), connected(url, key_file) as gateway:
        if once:
            seen = look(gateway, admins)
            _print(seen, output, as_json=as_json)
            if seen.problem:
                fail(Exit.UNAVAILABLE, seen.problem)
        elif as_json or not output.is_terminal:
            _print_updates(gateway, admins, every, output, as_json=as_json)
        else:
            _redraw(gateway, admins, every, output)


def _print(seen: Seen, output: Console, *, as_json: bool) -> None:
    if as_json:
        print_json(seen.to_json())
    else:
        output.print(page(seen, output.width))


def _print_updates(gateway: ApiClient, admins: list[str], every: float, output: Console, *, as_json: bool) -> None:
    while True:
        seen = look(gateway, admins)
        if seen.problem:
            typer.echo(f"gateway: {seen.problem}; retrying", err=True)
        if seen.overview or admins:
            _print(seen, output, as_json=as_json)
            if not as_json:
                output.print()
        time.sleep(every)


def _redraw(gateway: ApiClient, admins: list[str], every: float, output: Console) -> None:
    """Redraw one page. An error leaves the loop, so that its message appears on the restored screen."""
    last: models.Overview | None = None
    with Live(Text("loading …", "dim"), console=output, screen=True, auto_refresh=False) as live:
        while True:
            seen = look(gateway, admins)
            problem = ""
            if seen.problem:
                since = "" if last is None else f"\nlast overview at {local_time(last['at'])[11:19]}:"
                problem = f"{seen.problem}; retrying{since}"
            last = seen.overview or last
            # The processes are read from their own ports, so they are up to date without ingress.
            live.update(page(replace(seen, overview=last), output.width, problem), refresh=True)
            time.sleep(every)


def look(gateway: ApiClient, admins: list[str]) -> Seen:
    """Read the overview and the state of the named processes. Raises RequestRejected."""
    overview, problem = None, ""
    try:
        overview = gateway.read(operations.read_overview())
    except GatewayUnavailable as error:
        problem = str(error)
    return Seen(overview, problem, read_processes(admins))


def _valid_url(admin: str) -> str:
    url = admin.rpartition("=")[2]
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        fail(Exit.USAGE, f"{url}: expected a URL like http://worker-0:9090")
    return admin.rstrip("/")
