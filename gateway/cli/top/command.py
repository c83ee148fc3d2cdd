"""`gateway top`: a live overview of the gateway: rates, waiting commands and their reasons, the oldest commands.

The overview comes from ingress, with a caller's key. With --admin, the admin ports of processes add why a process is
not ready, and of workers lag, partitions that do not run, waiting keys, breakers and call budget. An admin port answers
also while ingress, Kafka or the database does not.
"""

import contextlib
import time
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from gateway.cli.api_client import (
    DEFAULT_URL,
    ApiClient,
    AsJson,
    GatewayUnavailable,
    KeyFile,
    RequestRejected,
    Url,
    fail,
    print_json,
)
from gateway.cli.formatting import console, local_time
from gateway.cli.top.page import page
from gateway.cli.top.processes import read_processes
from runtime.exits import Exit

Admins = Annotated[
    list[str] | None,
    typer.Option(
        "--admin",
        "--worker",
        metavar="URL",
        envvar="COLLATE_GATEWAY_ADMIN",
        help="Admin port of a process; shows why it is not ready, of a worker lag, breakers and budget, of a deliverer "
        "its subscriptions; repeatable.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(rich_help_panel="Commands and authorizations")(top)


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
    client, output = ApiClient(url, key_file), console()
    admins = [_valid_url(admin_url) for admin_url in admin or []]
    try:
        if once:
            overview = read_overview(client, admins)
            _print(overview, output, as_json=as_json)
            if "problem" in overview:
                fail(Exit.UNAVAILABLE, overview["problem"])
            return
        with contextlib.suppress(KeyboardInterrupt):
            if as_json or not output.is_terminal:
                _print_updates(client, admins, every, output, as_json=as_json)
            else:
                _redraw(client, admins, every, output)
    except RequestRejected as rejection:
        fail(Exit.FAILED, str(rejection))


def _print(overview: dict[str, Any], output: Console, *, as_json: bool) -> None:
    if as_json:
        print_json(overview)
    else:
        output.print(page(overview, output.width))


def _print_updates(client: ApiClient, admins: list[str], every: float, output: Console, *, as_json: bool) -> None:
    while True:
        overview = read_overview(client, admins)
        if "problem" in overview:
            typer.echo(f"gateway: {overview['problem']}; retrying", err=True)
        if "problem" not in overview or admins:
            _print(overview, output, as_json=as_json)
            if not as_json:
                output.print()
        time.sleep(every)


def _redraw(client: ApiClient, admins: list[str], every: float, output: Console) -> None:
    """Redraw one page. An error leaves the loop, so that its message appears on the restored screen."""
    last: dict[str, Any] = {}
    with Live(Text("loading …", "dim"), console=output, screen=True, auto_refresh=False) as live:
        while True:
            found = read_overview(client, admins)
            problem = ""
            if "problem" in found:
                since = f"\nlast overview at {local_time(last['at'])[11:19]}:" if "at" in last else ""
                problem = f"{found['problem']}; retrying{since}"
                # The processes are read from their own ports, so they are up to date without ingress.
                last = last | {key: found[key] for key in ("workers", "processes") if key in found}
            else:
                last = found
            live.update(page(last, output.width, problem), refresh=True)
            time.sleep(every)


def read_overview(client: ApiClient, admins: list[str]) -> dict[str, Any]:
    """Read the overview and the state of the named processes. Raises RequestRejected.

    If ingress or the read model does not answer, the result has `problem` instead of the overview.
    """
    overview: dict[str, Any]
    try:
        overview = client.read("overview")
    except GatewayUnavailable as error:
        overview = {"problem": str(error)}
    if not admins:
        return overview
    processes = read_processes(admins)
    workers = [process for process in processes if "partitions" in process or "problem" in process]
    return overview | {"processes": processes, "workers": workers}


def _valid_url(url: str) -> str:
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        fail(Exit.USAGE, f"{url}: expected a URL like http://worker-0:9090")
    return url.rstrip("/")
