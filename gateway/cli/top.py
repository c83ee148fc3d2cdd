"""`gateway top`: a live overview of the gateway: rates, waiting commands and their reasons, the oldest commands.

The overview comes from ingress, with a caller's key. With --worker, the admin ports of workers add lag, waiting keys,
breaker and call budget.
"""

import contextlib
import json
import re
import time
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
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
from gateway.cli.top_page import page
from runtime.exits import Exit
from runtime.http_client import HttpClient, reason_of

_SAMPLE = re.compile(r"^collate_gateway_(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)
_BREAKER = {0: "closed", 1: "probing", 2: "open"}
_WORKER_SECONDS = 5.0
_MAX_BYTES = 16 << 20
Workers = Annotated[
    list[str] | None,
    typer.Option("--worker", metavar="URL", help="Admin port of a worker; adds lag, breaker and budget; repeatable."),
]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(rich_help_panel="Commands and authorizations")(top)


def top(
    worker: Workers = None,
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
    workers = [_valid_url(worker_url) for worker_url in worker or []]
    try:
        if once:
            _print(read_overview(client, workers), output, as_json=as_json)
            return
        with contextlib.suppress(KeyboardInterrupt):
            if as_json or not output.is_terminal:
                _print_updates(client, workers, every, output, as_json=as_json)
            else:
                _redraw(client, workers, every, output)
    except GatewayUnavailable as error:
        fail(Exit.UNAVAILABLE, str(error))
    except RequestRejected as rejection:
        fail(Exit.FAILED, str(rejection))


def _print(overview: dict[str, Any], output: Console, *, as_json: bool) -> None:
    if as_json:
        print_json(overview)
    else:
        output.print(page(overview, output.width))


def _print_updates(client: ApiClient, workers: list[str], every: float, output: Console, *, as_json: bool) -> None:
    while True:
        try:
            _print(read_overview(client, workers), output, as_json=as_json)
        except GatewayUnavailable as error:
            typer.echo(f"gateway: {error}; retrying", err=True)
        else:
            if not as_json:
                output.print()
        time.sleep(every)


def _redraw(client: ApiClient, workers: list[str], every: float, output: Console) -> None:
    """Redraw one page. An error leaves the loop, so that its message appears on the restored screen."""
    last: dict[str, Any] | None = None
    with Live(Text("loading …", "dim"), console=output, screen=True, auto_refresh=False) as live:
        while True:
            problem = ""
            try:
                last = read_overview(client, workers)
            except GatewayUnavailable as error:
                problem = f"{error}; retrying"
            if last is None:
                live.update(Text(problem, "bold red"), refresh=True)
            else:
                since = f"\nlast update at {local_time(last['at'])[11:19]}:" if problem else ""
                live.update(page(last, output.width, problem + since), refresh=True)
            time.sleep(every)


def read_overview(client: ApiClient, workers: list[str]) -> dict[str, Any]:
    """Read the overview and the state of the named workers. Raises GatewayUnavailable, RequestRejected."""
    overview: dict[str, Any] = client.read("overview")
    return overview | {"workers": [_worker(url) for url in workers]} if workers else overview


def _valid_url(url: str) -> str:
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        fail(Exit.USAGE, f"{url}: expected a URL like http://worker-0:9090")
    return url.rstrip("/")


def _worker(url: str) -> dict[str, Any]:
    """Read one worker's admin port; return the problem if it does not answer."""
    client = HttpClient(url, seconds=_WORKER_SECONDS, max_bytes=_MAX_BYTES)
    try:
        status, metrics = json.loads(_read(client, f"{url}/lanes")), _read(client, f"{url}/metrics").decode()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return {"url": url, "problem": reason_of(error)}
    samples = {(found["name"], found["labels"] or ""): float(found["value"]) for found in _SAMPLE.finditer(metrics)}
    partitions = status.get("partitions", [])
    waiting: dict[str, int] = {}
    for partition in partitions:
        for reason, count in partition["waiting"].items():
            waiting[reason] = waiting.get(reason, 0) + count
    return {
        "url": url,
        "at": datetime.now(UTC).isoformat(),
        "partitions": len(partitions),
        "lag": sum(partition["lag"] or 0 for partition in partitions),
        "oldestSeconds": max((partition["oldestUnfinishedSeconds"] or 0 for partition in partitions), default=0),
        "running": sum(partition["running"] for partition in partitions),
        "waiting": waiting,
        "breaker": _BREAKER.get(int(samples.get(("collate_breaker", ""), 0)), "?"),
        "inFlight": sum(value for (name, _), value in samples.items() if name == "collate_in_flight"),
        "queued": sum(value for (name, _), value in samples.items() if name == "collate_waiting"),
        "limit": samples.get(("collate_limit", ""), 0),
    }


def _read(client: HttpClient, url: str) -> bytes:
    response = client.send("GET", url)
    if response.status != 200:
        raise ValueError(f"the worker responded {response.status}")
    return response.body
