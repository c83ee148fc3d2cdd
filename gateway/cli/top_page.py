"""What `gateway top` shows, laid out for people: in columns, or stacked where the terminal is narrow. Pure."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.formatting import WIDE, age, stacked
from schemas.enums import PREFIX

Json = dict[str, Any]


def page(found: Json, width: int, trouble: str = "") -> Group:
    """Lay an overview out; `trouble` says that it is the last one there was."""
    parts: list[RenderableType] = [Text(trouble, "bold red"), ""] if trouble else []
    parts.append(_head(found))
    if found["oldest"]:
        parts += ["", _title("Unfinished, the oldest first"), *_stuck(found["oldest"], found["at"], width)]
    if found["deadLetters"]:
        parts += ["", _title("Waiting for a person"), *_stuck(found["deadLetters"], found["at"], width)]
        parts.append(Text("gateway dead-letters list shows what can be done", "dim"))
    if found.get("workers"):
        parts += ["", *_workers(found["workers"], width)]
    return Group(*parts)


def _head(found: Json) -> Text:
    rates, unfinished, projector = found["lastMinute"], found["unfinished"], found["projector"]
    counts = ", ".join(f"{count} {status.replace('_', '-')}" for status, count in sorted(unfinished.items()))
    handoffs = found["activeHandoffs"]
    return Text.assemble(
        ("last minute  ", "bold"),
        f"{rates['accepted']} accepted, {rates['finished']} finished, {rates['events']} events, "
        f"{rates['attempts']} calls told of",
        ("\nnow          ", "bold"),
        f"{counts or 'nothing is unfinished'}; {handoffs} {'handoff' if handoffs == 1 else 'handoffs'} open",
        ("\nwaiting for  ", "bold"),
        _counted(found["waiting"]) or "nothing",
        ("\nread model   ", "bold"),
        _freshness(projector, found["at"]),
    )


def _title(text: str) -> Text:
    return Text(text, "bold")


def _stuck(commands: list[Json], now: str, width: int) -> list[RenderableType]:
    if width < WIDE:
        return [part for one in commands for part in _stuck_lines(one, now)]
    rows = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("age", "authorization", "asked for", "by", "command"):
        rows.add_column(column, no_wrap=True)
    rows.add_column("why", overflow="fold")
    for one in commands:
        rows.add_row(
            age(one.get("acceptedAt"), now),
            Text(one["authorizationId"], "bold"),
            _asked(one),
            Text(one["caller"]),
            Text(one["commandId"][:8], "dim"),
            _why(one),
        )
    return [rows]


def _stuck_lines(one: Json, now: str) -> list[RenderableType]:
    head = Text.assemble((one["authorizationId"], "bold"), f"  {age(one.get('acceptedAt'), now)}")
    return stacked(head, f"{_asked(one)}, by {one['caller']}, {one['commandId'][:8]}", _why(one))


def _asked(one: Json) -> str:
    return str(one["type"]).removeprefix(PREFIX).rpartition(".")[0]


def _why(one: Json) -> Text:
    """Say what it waits for; of one that nobody has said anything of, that it stands in line or has just come."""
    waiting = one.get("waiting")
    if not waiting:
        return Text("taken, nothing said yet" if one["status"] == "accepted" else one["status"], "dim")
    advice = waiting.get("advice")
    return Text.assemble((waiting["reason"], "yellow"), f": {advice}" if advice else "")


def _freshness(projector: Json, now: str) -> Text:
    if projector.get("at") is None:
        return Text("no projector has been heard of", "red")
    behind = projector["behind"]
    return Text(f"{behind} {'record' if behind == 1 else 'records'} behind, heard of {age(projector['at'], now)} ago")


def _workers(workers: list[Json], width: int) -> list[RenderableType]:
    if width < WIDE:
        return [part for one in workers for part in _worker_lines(one)]
    columns = ("worker", "partitions", "lag", "oldest", "running", "lanes waiting", "breaker", "budget")
    rows = Table(*columns, box=None, pad_edge=False, header_style="dim")
    parts: list[RenderableType] = []
    for one in workers:
        if "problem" in one:
            parts.append(_problem(one))
            continue
        rows.add_row(
            one["url"],
            str(one["partitions"]),
            str(one["lag"]),
            f"{one['oldestSeconds']:.0f} s",
            str(one["running"]),
            _counted(one["waiting"]) or "none",
            _breaker(one),
            _budget(one),
        )
    return [*([rows] if rows.row_count else []), *parts]


def _worker_lines(one: Json) -> list[RenderableType]:
    if "problem" in one:
        return [_problem(one)]
    return stacked(
        Text(one["url"], "bold"),
        f"{one['partitions']} partitions, lag {one['lag']}, oldest {one['oldestSeconds']:.0f} s, "
        f"{one['running']} running",
        f"lanes waiting: {_counted(one['waiting']) or 'none'}",
        Text.assemble("breaker ", _breaker(one), f"; {_budget(one)}"),
    )


def _problem(one: Json) -> Text:
    return Text.assemble(one["url"], "  ", (one["problem"], "red"))


def _breaker(one: Json) -> Text:
    return Text(one["breaker"], "green" if one["breaker"] == "closed" else "red")


def _budget(one: Json) -> str:
    return f"{one['inFlight']:.0f} of {one['limit']:.0f} calls, {one['queued']:.0f} queued"


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items()))
