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
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.cli.caller import HERE, AsJson, Caller, KeyFile, Unanswered, Url, fail, print_json
from gateway.runtime.exits import Exit

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
    """Show what is going on and what is stuck, live: the oldest command stands first, with why it waits."""
    caller, console = Caller(url, key_file), Console(highlight=False)
    if once or as_json:
        while True:
            try:
                found = look(caller, worker or [])
            except Unanswered as unanswered:
                fail(Exit.UNAVAILABLE, str(unanswered))
            if as_json:
                print_json(found)
            else:
                console.print(page(found))
            if once:
                return
            time.sleep(every)
    shown: Group | Text = Text("asking …", "dim")
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(shown, console=console, screen=console.is_terminal, auto_refresh=False) as live,
    ):
        while True:
            try:
                live.update(page(look(caller, worker or [])), refresh=True)
            except Unanswered as unanswered:
                live.update(Text(f"{unanswered}; asking on", "red"), refresh=True)
            time.sleep(every)


def look(caller: Caller, workers: list[str]) -> dict[str, Any]:
    """Ask ingress, and the workers that are named. Raises Unanswered where ingress has no answer."""
    found: dict[str, Any] = caller.get("overview")
    if workers:
        found["workers"] = [_worker(url.rstrip("/")) for url in workers]
    return found


def page(found: dict[str, Any]) -> Group:
    """Lay it out for people."""
    rates, unfinished, projector = found["lastMinute"], found["unfinished"], found["projector"]
    head = Text.assemble(
        ("last minute  ", "bold"),
        f"{rates['accepted']} accepted, {rates['finished']} finished, {rates['events']} events, "
        f"{rates['attempts']} calls told of",
        ("\nnow          ", "bold"),
        ", ".join(f"{count} {status.replace('_', '-')}" for status, count in sorted(unfinished.items()))
        or "nothing is unfinished",
        f"; {found['activeHandoffs']} handoffs open",
        ("\nwaiting for  ", "bold"),
        ", ".join(f"{reason}: {count}" for reason, count in sorted(found["waiting"].items())) or "nothing",
        ("\nread model   ", "bold"),
        _freshness(projector, found["at"]),
    )
    parts: list[Any] = [head]
    if found["oldest"]:
        parts += ["", _stuck("Unfinished, the oldest first", found["oldest"], found["at"])]
    if found["deadLetters"]:
        parts += ["", _stuck("Waiting for a person", found["deadLetters"], found["at"])]
    if found.get("workers"):
        parts += ["", _workers(found["workers"])]
    return Group(*parts)


def _stuck(title: str, commands: list[dict[str, Any]], now: str) -> Table:
    rows = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for column in ("age", "authorization", "asked for", "by", "command", "status"):
        rows.add_column(column, no_wrap=True)
    rows.add_column("why")
    for one in commands:
        waiting = one.get("waiting") or {}
        rows.add_row(
            _age(one.get("acceptedAt"), now),
            Text(one["authorizationId"], "bold"),
            one["type"].removeprefix("collate-gateway.").rpartition(".")[0],
            Text(one["caller"]),
            Text(one["commandId"][:8], "dim"),
            one["status"],
            Text(" ".join(filter(None, (waiting.get("reason"), waiting.get("advice"))))),
        )
    return rows


def _freshness(projector: dict[str, Any], now: str) -> str:
    if projector.get("at") is None:
        return "no projector has been heard of"
    return f"{projector['behind']} records behind, heard of {_age(projector['at'], now)} ago"


def _age(since: str | None, now: str) -> str:
    if since is None:
        return "?"
    seconds = max(0, round((datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7_200 else f"{seconds // 3_600} h"


def _worker(url: str) -> dict[str, Any]:
    """Ask one worker's admin port; what can't be had is said."""
    if urlsplit(url).scheme not in {"http", "https"}:
        fail(Exit.USAGE, f"{url}: expected a URL like http://worker-0:9090")
    try:
        lanes, metrics = json.loads(_read(f"{url}/lanes")), _read(f"{url}/metrics").decode()
    except (OSError, ValueError) as error:
        return {"url": url, "problem": str(getattr(error, "reason", error))}
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


def _workers(workers: list[dict[str, Any]]) -> Table:
    columns = ("worker", "partitions", "lag", "oldest", "running", "lanes waiting", "breaker", "budget")
    rows = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for one in workers:
        if "problem" in one:
            rows.add_row(one["url"], Text(one["problem"], "red"))
            continue
        waiting = ", ".join(f"{reason}: {count}" for reason, count in sorted(one["waiting"].items())) or "none"
        rows.add_row(
            one["url"],
            str(one["partitions"]),
            str(one["lag"]),
            f"{one['oldestSeconds']:.0f} s",
            str(one["running"]),
            waiting,
            Text(one["breaker"], "green" if one["breaker"] == "closed" else "red"),
            f"{one['inFlight']:.0f} of {one['limit']:.0f} calls, {one['queued']:.0f} queued",
        )
    return rows
