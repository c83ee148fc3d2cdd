"""`gateway top`: the whole gateway at a glance, again and again: rates, what waits and why, the oldest commands.

All of it comes from ingress with a caller's key. Who can reach the workers' admin ports may name them, and sees lag,
lanes, breaker and budget as they are at this moment.
"""

import contextlib
import json
import re
import time
import urllib.request
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from gateway.cli.api_client import HERE, ApiClient, AsJson, Declined, KeyFile, Unanswered, Url, fail, print_json, said
from gateway.cli.formatting import console, local_time
from gateway.cli.top_page import page
from runtime.exits import Exit

_SAMPLE = re.compile(r"^collate_gateway_(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)
_BREAKER = {0: "closed", 1: "probing", 2: "open"}
_WORKER_SECONDS = 5.0
Workers = Annotated[
    list[str] | None,
    typer.Option("--worker", metavar="URL", help="A worker's admin port, for lag, lanes, breaker, budget; repeatable."),
]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(rich_help_panel="What happened")(top)


def top(
    worker: Workers = None,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    *,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    url: Url = HERE,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what is going on and what is stuck, live: the oldest command stands first, with why it waits.

    Without a terminal, or with --json, each look is printed below the one before.
    """
    caller, shown = ApiClient(url, key_file), console()
    workers = [_checked(one) for one in worker or []]
    try:
        if once:
            _print(look(caller, workers), shown, as_json=as_json)
            return
        with contextlib.suppress(KeyboardInterrupt):
            if as_json or not shown.is_terminal:
                _go_on(caller, workers, every, shown, as_json=as_json)
            else:
                _live(caller, workers, every, shown)
    except Unanswered as unanswered:
        fail(Exit.UNAVAILABLE, str(unanswered))
    except Declined as declined:
        fail(Exit.FAILED, str(declined))


def _print(found: dict[str, Any], shown: Console, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        shown.print(page(found, shown.width))


def _go_on(caller: ApiClient, workers: list[str], every: float, shown: Console, *, as_json: bool) -> None:
    while True:
        try:
            _print(look(caller, workers), shown, as_json=as_json)
        except Unanswered as unanswered:
            typer.echo(f"gateway: {unanswered}; asking on", err=True)
        else:
            if not as_json:
                shown.print()
        time.sleep(every)


def _live(caller: ApiClient, workers: list[str], every: float, shown: Console) -> None:
    """Redraw one page. What ends it is raised, and so told once the screen is as it was before."""
    last: dict[str, Any] | None = None
    with Live(Text("asking …", "dim"), console=shown, screen=True, auto_refresh=False) as live:
        while True:
            trouble = ""
            try:
                last = look(caller, workers)
            except Unanswered as unanswered:
                trouble = f"{unanswered}; asking on"
            if last is None:
                live.update(Text(trouble, "bold red"), refresh=True)
            else:
                since = f"\nthis was so at {local_time(last['at'])[11:19]}:" if trouble else ""
                live.update(page(last, shown.width, trouble + since), refresh=True)
            time.sleep(every)


def look(caller: ApiClient, workers: list[str]) -> dict[str, Any]:
    """Ask ingress, and the workers that are named. Raises Unanswered, Declined."""
    found: dict[str, Any] = caller.read("overview")
    return found | {"workers": [_worker(url) for url in workers]} if workers else found


def _checked(url: str) -> str:
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        fail(Exit.USAGE, f"{url}: expected a URL like http://worker-0:9090")
    return url.rstrip("/")


def _worker(url: str) -> dict[str, Any]:
    """Ask one worker's admin port; what can't be had is said."""
    try:
        lanes, metrics = json.loads(_read(f"{url}/lanes")), _read(f"{url}/metrics").decode()
    except (OSError, HTTPException, ValueError) as error:
        return {"url": url, "problem": said(getattr(error, "reason", error))}
    samples = {(found["name"], found["labels"] or ""): float(found["value"]) for found in _SAMPLE.finditer(metrics)}
    partitions = lanes.get("partitions", [])
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


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_WORKER_SECONDS) as answer:  # noqa: S310 - the scheme was looked at
        content: bytes = answer.read()
        return content
