"""The page of `gateway top`: tables, or a few lines per entry in a narrow terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from cli.api_client import models
from cli.formatting import WIDE, age
from cli.lists.listing import Cells, Columns
from cli.top.processes import ProcessState
from runtime.admin.answers import PASSING, SubscriptionCondition, SubscriptionState
from schemas.enums import short_type


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the gateway. Without an overview, `problem` says why."""

    overview: models.Overview | None
    problem: str
    processes: Sequence[ProcessState] = ()

    @property
    def workers(self) -> Sequence[ProcessState]:
        """The workers, and the processes that do not answer."""
        return [process for process in self.processes if "partitions" in process or "problem" in process]

    def to_json(self) -> Mapping[str, object]:
        """Return the API's answer, with the processes if there are some."""
        overview = self.overview or {"problem": self.problem}
        return {**overview, "processes": self.processes, "workers": self.workers} if self.processes else overview


def page(seen: Seen, width: int, problem: str = "") -> Group:
    """Lay out an overview; with a `problem`, the overview is the last one read before the problem.

    Without an overview, the page shows only the processes.
    """
    parts: list[RenderableType] = [Text(problem, "bold red"), ""] if problem else []
    if seen.processes:
        for process in seen.processes:
            parts.append(_readiness(process))
            if "partitions" not in process:  # a worker's are below its table
                parts += _held(process)
        if subscriptions := [row for process in seen.processes for row in process.get("subscriptions", ())]:
            parts += ["", _title("Webhooks"), SUBSCRIPTIONS.layout(subscriptions, "", width)]
            if width >= WIDE:
                parts += [Text(f"  {row['name']}: {row['detail']}", "red") for row in subscriptions if row["detail"]]
        parts.append("")
    if seen.overview is not None:
        parts += _overview(seen.overview, width)
    if seen.workers:
        parts += ["", *_workers(seen.workers, width)]
    return Group(*parts)


def _overview(overview: models.Overview, width: int) -> list[RenderableType]:
    parts: list[RenderableType] = [_head(overview)]
    for title, commands in (
        ("Unfinished commands, oldest first", overview["oldest"]),
        ("Dead letters, oldest first", overview["deadLetters"]),
    ):
        if commands:
            parts += ["", _title(title), COMMANDS.layout(commands, overview["at"], width)]
    if overview["deadLetters"]:
        parts.append(Text("next: gateway dead-letters list", "dim"))
    if full := overview.get("fullCallers"):
        parts += ["", _title("Callers whose share of an authorization is full"), *map(_full_caller, full)]
        parts.append(Text("next: docs/operations.md, “A caller sends too many commands”", "dim"))
    return parts


def _readiness(process: ProcessState) -> Text:
    """Return a process's readiness in a sentence."""
    if "problem" in process:
        return Text.assemble(("no answer    ", "bold red"), _named(process), "  ", (process["problem"], "red"))
    name = f"{process['process']:<13}"
    return Text.assemble(
        (name, "bold"), process["url"], "  ", (process["summary"], "green" if process["ready"] else "red")
    )


def _named(process: ProcessState) -> str:
    return f"{process['process']} {process['url']}".strip()


def _head(overview: models.Overview) -> Text:
    rates, unfinished, projector = overview["lastMinute"], overview["unfinished"], overview["projector"]
    faults = overview.get("faults", ())
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
        ("\nwrong        ", "bold") if faults else "",
        (", ".join(faults), "red"),
    )


def _title(text: str) -> Text:
    return Text(text, "bold")


def _command_lines(cells: Cells) -> tuple[Text, str, str | Text]:
    head = Text.assemble(cells["authorization"], f"  {cells['age']}")
    return head, f"{cells['type']} by {cells['caller']}, {cells['command']}", cells["reason"]


def _full_caller(full: models.FullCaller) -> Text:
    rejected = f"{full['rejected']} rejected in 10 minutes"
    return Text.assemble((full["authorizationId"], "bold"), f"  {full['caller']}  ", (rejected, "yellow"))


def _reason(command: models.UnfinishedCommand) -> Text:
    """Return why a command waits, or its status if no event gives a reason."""
    waiting = command.get("waiting")
    if not waiting:
        return Text("accepted, no progress yet" if command["status"] == "accepted" else command["status"], "dim")
    advice = waiting.get("advice")
    return Text.assemble((waiting["reason"], "yellow"), f": {advice}" if advice else "")


COMMANDS: Columns[models.UnfinishedCommand] = Columns(
    cells={
        "age": lambda command, now: age(command.get("acceptedAt"), now),
        "authorization": lambda command, _: Text(command["authorizationId"], "bold"),
        "type": lambda command, _: short_type(command["type"]),
        "caller": lambda command, _: command["caller"],
        "command": lambda command, _: Text(command["commandId"][:8], "dim"),
        "reason": lambda command, _: _reason(command),
    },
    unwrapped={"age", "authorization", "type", "caller", "command"},
    lines=_command_lines,
    wide=WIDE,
    heading="dim",
)


def _freshness(projector: models.Projector, now: str) -> Text:
    if "at" not in projector:
        return Text("no heartbeat of a projector", "red")
    behind = projector["behind"]
    return Text(f"{behind} {'record' if behind == 1 else 'records'} behind, updated {age(projector['at'], now)} ago")


def _workers(workers: Sequence[ProcessState], width: int) -> list[RenderableType]:
    answering = [worker for worker in workers if "problem" not in worker]
    parts: list[RenderableType] = [WORKERS.layout(answering, "", width)] if answering else []
    for worker in workers:
        parts += [_problem(worker)] if "problem" in worker else _held(worker)
    return parts


def _worker_lines(cells: Cells) -> tuple[Text, str, str, Text]:
    return (
        Text(str(cells["worker"]), "bold"),
        f"{cells['partitions']} partitions, lag {cells['lag']}, oldest {cells['oldest']}, {cells['running']} running",
        f"keys waiting: {cells['keys waiting']}",
        Text.assemble("breaker ", cells["breaker"], f"; {cells['budget']}"),
    )


WORKERS: Columns[ProcessState] = Columns(
    cells={
        "worker": lambda worker, _: worker["url"],
        "partitions": lambda worker, _: str(worker["partitions"]),
        "lag": lambda worker, _: str(worker["lag"]),
        "oldest": lambda worker, _: f"{worker['oldestSeconds']:.0f} s",
        "running": lambda worker, _: str(worker["running"]),
        "keys waiting": lambda worker, _: _counted(worker["waiting"]) or "none",
        "breaker": lambda worker, _: Text(worker["breaker"], "green" if worker["breaker"] == "closed" else "red"),
        "budget": lambda worker, _: (
            f"{worker['inFlight']:.0f} of {worker['limit']:.0f} calls, {worker['queued']:.0f} queued"
        ),
    },
    unwrapped=(),
    lines=_worker_lines,
    wide=WIDE,
    heading="dim",
)


def _subscription_lines(cells: Cells) -> tuple[Text, str, str]:
    return (
        Text.assemble((str(cells["subscription"]), "bold"), "  ", cells["state"]),
        f"{cells['receiver']}, oldest {cells['oldest']}, {cells['undelivered']} undelivered",
        f"last answer: {cells['last answer']}; {cells['delivered']} delivered, {cells['dead letters']} dead letters",
    )


def _subscription_state(one: SubscriptionState) -> Text:
    if one["state"] == SubscriptionCondition.DELIVERING:
        return Text(one["state"], "green")
    return Text(one["state"], "yellow" if one["state"] in PASSING else "red")


def _last_answer(one: SubscriptionState) -> str:
    answer = one["lastAnswer"]
    if answer is None:
        return "none yet"
    status = "" if answer["status"] is None else f"{answer['status']} "
    return f"{status}{answer['result']}, {answer['agoSeconds']:.0f} s ago"


SUBSCRIPTIONS: Columns[SubscriptionState] = Columns(
    cells={
        "subscription": lambda one, _: one["name"],
        "receiver": lambda one, _: one["url"],
        "state": lambda one, _: _subscription_state(one),
        "oldest": lambda one, _: f"{one['oldestSeconds']:.0f} s",
        "undelivered": lambda one, _: str(one["lag"]),
        "last answer": lambda one, _: _last_answer(one),
        "delivered": lambda one, _: str(one["delivered"]),
        "dead letters": lambda one, _: str(one["deadLetters"]),
    },
    unwrapped=(),
    lines=_subscription_lines,
    wide=WIDE,
    heading="dim",
)


def _problem(worker: ProcessState) -> Text:
    return Text.assemble(_named(worker), "  ", (worker["problem"], "red"))


def _held(process: ProcessState) -> list[Text]:
    """Return what holds work at a process."""
    lines = [f"partition {row['partition']} is stopped: {row['detail']}" for row in process.get("stopped", ())]
    if paused := process.get("paused"):
        lines.append(f"partition {', '.join(map(str, paused))} is paused: too many unfinished records")
    lines += [
        f"breaker {breaker['reason']} is {breaker['state']} for {breaker['calls']} calls"
        for breaker in process.get("breakers", ())
    ]
    return [Text(f"  {line}", "red") for line in lines]


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items()))
