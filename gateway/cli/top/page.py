"""The page of `gateway top`: tables, or a few lines per entry in a narrow terminal."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.formatting import WIDE, age, stacked
from schemas.enums import PREFIX

Json = dict[str, Any]


def page(overview: Json, width: int, problem: str = "") -> Group:
    """Lay out an overview; with a `problem`, the overview is the last one read before the problem.

    Without an overview, the page shows only the processes.
    """
    parts: list[RenderableType] = [Text(problem, "bold red"), ""] if problem else []
    if processes := overview.get("processes"):
        for process in processes:
            parts.append(_readiness(process))
            if "partitions" not in process:  # a worker's are below its table
                parts += _held(process)
        if subscriptions := [one for process in processes for one in process.get("subscriptions", ())]:
            parts += ["", _title("Webhooks"), *_subscriptions(subscriptions, width)]
        parts.append("")
    if "lastMinute" in overview:
        parts += _overview(overview, width)
    if overview.get("workers"):
        parts += ["", *_workers(overview["workers"], width)]
    return Group(*parts)


def _overview(overview: Json, width: int) -> list[RenderableType]:
    parts: list[RenderableType] = [_head(overview)]
    if overview["oldest"]:
        parts += [
            "",
            _title("Unfinished commands, oldest first"),
            *_commands(overview["oldest"], overview["at"], width),
        ]
    if overview["deadLetters"]:
        parts += ["", _title("Dead letters, oldest first"), *_commands(overview["deadLetters"], overview["at"], width)]
        parts.append(Text("next: gateway dead-letters list", "dim"))
    if full := overview.get("fullCallers"):
        parts += ["", _title("Callers whose share of an authorization is full"), *map(_full_caller, full)]
        parts.append(Text("next: docs/operations.md, “A caller sends too many commands”", "dim"))
    return parts


def _readiness(process: Json) -> Text:
    """Return a process's readiness in a sentence."""
    if "problem" in process:
        return Text.assemble(("no answer    ", "bold red"), process["url"], "  ", (process["problem"], "red"))
    name = f"{process['process']:<13}"
    return Text.assemble(
        (name, "bold"), process["url"], "  ", (process["summary"], "green" if process["ready"] else "red")
    )


def _head(overview: Json) -> Text:
    rates, unfinished, projector = overview["lastMinute"], overview["unfinished"], overview["projector"]
    counts = ", ".join(f"{count} {status.replace('_', '-')}" for status, count in sorted(unfinished.items()))
    handoffs = overview["activeHandoffs"]
    return Text.assemble(
        ("last minute  ", "bold"),
        f"{rates['accepted']} accepted, {rates['finished']} finished, {rates['events']} events, "
        f"{rates['attempts']} calls to Collate",
        ("\nnow          ", "bold"),
        f"{counts or 'no unfinished command'}; {handoffs} open {'handoff' if handoffs == 1 else 'handoffs'}",
        ("\nwaiting      ", "bold"),
        _counted(overview["waiting"]) or "none",
        ("\nread model   ", "bold"),
        _freshness(projector, overview["at"]),
    )


def _title(text: str) -> Text:
    return Text(text, "bold")


def _commands(commands: list[Json], now: str, width: int) -> list[RenderableType]:
    if width < WIDE:
        return [part for command in commands for part in _command_lines(command, now)]
    rows = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("age", "authorization", "type", "caller", "command"):
        rows.add_column(column, no_wrap=True)
    rows.add_column("reason", overflow="fold")
    for command in commands:
        rows.add_row(
            age(command.get("acceptedAt"), now),
            Text(command["authorizationId"], "bold"),
            _type(command),
            Text(command["caller"]),
            Text(command["commandId"][:8], "dim"),
            _reason(command),
        )
    return [rows]


def _command_lines(command: Json, now: str) -> list[RenderableType]:
    head = Text.assemble((command["authorizationId"], "bold"), f"  {age(command.get('acceptedAt'), now)}")
    return stacked(head, f"{_type(command)} by {command['caller']}, {command['commandId'][:8]}", _reason(command))


def _full_caller(full: Json) -> Text:
    rejected = f"{full['rejected']} rejected in 10 minutes"
    return Text.assemble((full["authorizationId"], "bold"), f"  {full['caller']}  ", (rejected, "yellow"))


def _type(command: Json) -> str:
    return str(command["type"]).removeprefix(PREFIX).rpartition(".")[0]


def _reason(command: Json) -> Text:
    """Return why a command waits, or its status if no event gives a reason."""
    waiting = command.get("waiting")
    if not waiting:
        return Text("accepted, no progress yet" if command["status"] == "accepted" else command["status"], "dim")
    advice = waiting.get("advice")
    return Text.assemble((waiting["reason"], "yellow"), f": {advice}" if advice else "")


def _freshness(projector: Json, now: str) -> Text:
    if projector.get("at") is None:
        return Text("no heartbeat of a projector", "red")
    behind = projector["behind"]
    return Text(f"{behind} {'record' if behind == 1 else 'records'} behind, updated {age(projector['at'], now)} ago")


def _workers(workers: list[Json], width: int) -> list[RenderableType]:
    if width < WIDE:
        return [part for worker in workers for part in _worker_lines(worker)]
    columns = ("worker", "partitions", "lag", "oldest", "running", "keys waiting", "breaker", "budget")
    rows = Table(*columns, box=None, pad_edge=False, header_style="dim")
    parts: list[RenderableType] = []
    for worker in workers:
        if "problem" in worker:
            parts.append(_problem(worker))
            continue
        rows.add_row(
            worker["url"],
            str(worker["partitions"]),
            str(worker["lag"]),
            f"{worker['oldestSeconds']:.0f} s",
            str(worker["running"]),
            _counted(worker["waiting"]) or "none",
            _breaker(worker),
            _budget(worker),
        )
        parts += _held(worker)
    return [*([rows] if rows.row_count else []), *parts]


def _worker_lines(worker: Json) -> list[RenderableType]:
    if "problem" in worker:
        return [_problem(worker)]
    return stacked(
        Text(worker["url"], "bold"),
        f"{worker['partitions']} partitions, lag {worker['lag']}, oldest {worker['oldestSeconds']:.0f} s, "
        f"{worker['running']} running",
        f"keys waiting: {_counted(worker['waiting']) or 'none'}",
        Text.assemble("breaker ", _breaker(worker), f"; {_budget(worker)}"),
        *_held(worker),
    )


def _subscriptions(subscriptions: list[Json], width: int) -> list[RenderableType]:
    if width < WIDE:
        return [
            part
            for one in subscriptions
            for part in stacked(
                Text.assemble((one["name"], "bold"), "  ", _subscription_state(one)),
                f"{one['url']}, oldest {one['oldestSeconds']:.0f} s, {one['lag']} undelivered",
                f"last answer: {_last_answer(one)}; {one['delivered']} delivered, {one['deadLetters']} dead letters",
            )
        ]
    columns = ("subscription", "receiver", "state", "oldest", "undelivered", "last answer", "delivered", "dead letters")
    rows = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for one in subscriptions:
        rows.add_row(
            one["name"],
            one["url"],
            _subscription_state(one),
            f"{one['oldestSeconds']:.0f} s",
            str(one["lag"]),
            _last_answer(one),
            str(one["delivered"]),
            str(one["deadLetters"]),
        )
    details = [Text(f"  {one['name']}: {one['detail']}", "red") for one in subscriptions if one["detail"]]
    return [rows, *details]


def _subscription_state(one: Json) -> Text:
    colour = {"delivering": "green", "retrying": "yellow", "held": "yellow", "starting": "yellow"}
    return Text(one["state"], colour.get(one["state"], "red"))


def _last_answer(one: Json) -> str:
    answer = one["lastAnswer"]
    if answer is None:
        return "none yet"
    status = "" if answer["status"] is None else f"{answer['status']} "
    return f"{status}{answer['result']}, {answer['agoSeconds']:.0f} s ago"


def _problem(worker: Json) -> Text:
    return Text.assemble(worker["url"], "  ", (worker["problem"], "red"))


def _held(worker: Json) -> list[Text]:
    """Return what holds work at a process."""
    lines = [
        f"partition {stopped['partition']} is stopped: {stopped['detail']}" for stopped in worker.get("stopped", ())
    ]
    if paused := worker.get("paused"):
        lines.append(f"partition {', '.join(map(str, paused))} is paused: too many unfinished records")
    lines += [
        f"breaker {breaker['reason']} is {breaker['state']} for {breaker['calls']} calls"
        for breaker in worker.get("breakers", ())
    ]
    return [Text(f"  {line}", "red") for line in lines]


def _breaker(worker: Json) -> Text:
    return Text(worker["breaker"], "green" if worker["breaker"] == "closed" else "red")


def _budget(worker: Json) -> str:
    return f"{worker['inFlight']:.0f} of {worker['limit']:.0f} calls, {worker['queued']:.0f} queued"


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items()))
