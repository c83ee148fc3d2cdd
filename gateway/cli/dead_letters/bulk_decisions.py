"""Carrying a decision out, letter by letter, no faster than asked; each is a request that may be sent again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.api_client import ApiClient, Declined, Unanswered

Json = dict[str, Any]
_TELL_EVERY_SECONDS = 10.0
# A busy or restarting gateway is asked again that often before a person is.
_TRIES = 3
_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, who says so and why; `wait_seconds` are for a single letter's outcome."""

    verb: Literal["redrive", "discard"]
    operator: str
    reason: str
    ticket: str | None
    why: str | None
    per_second: float
    wait_seconds: int


def decide_all(gateway: ApiClient, letters: list[Json], decision: Decision, tell: Callable[[Json], None]) -> int:
    """Ask for all of them, tell how each went, and return how many were refused. Raises Unanswered."""
    refused = done = 0
    started = time.monotonic()
    wait_seconds = decision.wait_seconds if len(letters) == 1 else 0
    with _progress(decision.verb, len(letters)) as advance:
        for number, letter in enumerate(letters):
            time.sleep(max(0.0, started + number / decision.per_second - time.monotonic()))
            try:
                told = _decide(gateway, letter, decision, wait_seconds)
            except Unanswered as unanswered:
                raise Unanswered(
                    f"{unanswered}. {done} of {len(letters)} were taken; run the same again, nothing is done twice"
                ) from unanswered
            refused += told["result"] == "refused"
            done += 1
            tell(told)
            advance()
    return refused


def _decide(gateway: ApiClient, letter: Json, decision: Decision, wait_seconds: int) -> Json:
    command_id = letter["commandId"]
    said = {"ticket": decision.ticket, "why": decision.why}
    body = {"operator": decision.operator, "reason": decision.reason, "redrive": letter["redrive"]} | {
        name: value for name, value in said.items() if value is not None
    }
    told = {"commandId": command_id, "authorizationId": letter.get("authorizationId"), "asked": decision.verb}
    for again in range(_TRIES):
        try:
            answer = gateway.post("dead-letters", command_id, decision.verb, body=body, wait_seconds=wait_seconds)
            break
        except Declined as declined:
            return told | {"result": "refused", "reason": declined.slug, "says": str(declined)}
        except Unanswered:
            if again == _TRIES - 1:
                raise
            time.sleep(_PAUSE_SECONDS)
    if answer["status"] == "finished":
        found = {
            name: answer[name] for name in ("outcome", "effect", "reason", "advice", "handoffId") if name in answer
        }
        return told | {"result": "finished"} | found
    if wait_seconds and (cause := _died_again(gateway, command_id, letter["redrive"])) is not None:
        return told | {"result": "dead_lettered", "reason": cause}
    return told | {"result": "accepted"}


def _died_again(gateway: ApiClient, command_id: str, redrive: int) -> str | None:
    """Return why it was given up once more, if it was."""
    try:
        now = gateway.read("dead-letters", command_id)
    except (Declined, Unanswered):
        return None
    return str(now["cause"]) if now["redrive"] > redrive else None


@contextmanager
def _progress(verb: str, count: int) -> Iterator[Callable[[], None]]:
    """Show people a bar, and others a line every now and then."""
    console = Console(stderr=True)
    if count == 1:
        yield lambda: None
    elif console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(verb, total=count)
            yield lambda: bar.advance(task)
    else:
        yield _lines(console, verb, count)


def _lines(console: Console, verb: str, count: int) -> Callable[[], None]:
    done, told_at = 0, time.monotonic()

    def advance() -> None:
        nonlocal done, told_at
        done += 1
        if time.monotonic() - told_at > _TELL_EVERY_SECONDS:
            told_at = time.monotonic()
            console.print(f"{verb}: {done} of {count}")

    return advance
