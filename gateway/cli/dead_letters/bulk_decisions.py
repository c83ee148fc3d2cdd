"""Sending one decision for many dead letters at a limited rate. Each request is idempotent, so all can be repeated."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.api_client import ApiClient, GatewayUnavailable, RequestRejected

Json = dict[str, Any]
Verb = Literal["redrive", "discard"]
_PROGRESS_SECONDS = 10.0
_ATTEMPTS = 3
_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision, its operator and its reason. `wait_seconds` applies to a single dead letter."""

    verb: Verb
    operator: str
    reason: str
    ticket: str | None
    why: str | None
    per_second: float
    wait_seconds: int


def decide_all(gateway: ApiClient, dead_letters: list[Json], decision: Decision, report: Callable[[Json], None]) -> int:
    """Send the decision for each dead letter, report each result, and return how many were rejected.

    Raises GatewayUnavailable if the gateway stays unavailable.
    """
    rejected = done = 0
    started = time.monotonic()
    wait_seconds = decision.wait_seconds if len(dead_letters) == 1 else 0
    with _progress(decision.verb, len(dead_letters)) as advance:
        for number, dead_letter in enumerate(dead_letters):
            time.sleep(max(0.0, started + number / decision.per_second - time.monotonic()))
            try:
                result = _decide(gateway, dead_letter, decision, wait_seconds)
            except GatewayUnavailable as error:
                raise GatewayUnavailable(
                    f"{error}. {done} of {len(dead_letters)} were sent; it is safe to run the same command again"
                ) from error
            rejected += result["result"] == "refused"
            done += 1
            report(result)
            advance()
    return rejected


def _decide(gateway: ApiClient, dead_letter: Json, decision: Decision, wait_seconds: int) -> Json:
    command_id = dead_letter["commandId"]
    optional = {"ticket": decision.ticket, "why": decision.why}
    body = {"operator": decision.operator, "reason": decision.reason, "redrive": dead_letter["redrive"]} | {
        name: value for name, value in optional.items() if value is not None
    }
    result = {"commandId": command_id, "authorizationId": dead_letter.get("authorizationId"), "asked": decision.verb}
    for attempt in range(_ATTEMPTS):
        try:
            response = gateway.post("dead-letters", command_id, decision.verb, body=body, wait_seconds=wait_seconds)
            break
        except RequestRejected as rejection:
            return result | {"result": "refused", "reason": rejection.slug, "says": str(rejection)}
        except GatewayUnavailable:
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE_SECONDS)
    if response["status"] == "finished":
        shown = ("outcome", "effect", "reason", "advice", "handoffId")
        return result | {"result": "finished"} | {name: response[name] for name in shown if name in response}
    if response["status"] == "dead_lettered":
        return result | {"result": "dead_lettered", "reason": response["cause"]}
    # An older ingress answers `accepted` for a command that became a dead letter again.
    if wait_seconds and (cause := _new_cause(gateway, command_id, dead_letter["redrive"])) is not None:
        return result | {"result": "dead_lettered", "reason": cause}
    return result | {"result": "accepted"}


def _new_cause(gateway: ApiClient, command_id: str, redrive: int) -> str | None:
    """Return the new cause if the command became a dead letter again."""
    try:
        current = gateway.read("dead-letters", command_id)
    except (RequestRejected, GatewayUnavailable):
        return None
    return str(current["cause"]) if current["redrive"] > redrive else None


@contextmanager
def _progress(verb: str, count: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on a terminal, else a line every 10 s."""
    console = Console(stderr=True)
    if count == 1:
        yield lambda: None
    elif console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(verb, total=count)
            yield lambda: bar.advance(task)
    else:
        yield _progress_lines(console, verb, count)


def _progress_lines(console: Console, verb: str, count: int) -> Callable[[], None]:
    done, printed_at = 0, time.monotonic()

    def advance() -> None:
        nonlocal done, printed_at
        done += 1
        if time.monotonic() - printed_at > _PROGRESS_SECONDS:
            printed_at = time.monotonic()
            console.print(f"{verb}: {done} of {count}")

    return advance
