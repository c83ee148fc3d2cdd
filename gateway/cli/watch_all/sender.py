"""Sends watch commands in batches, at the pace at which they end.

A batch is sent when it fits into the window: the most unfinished commands of the caller at the replica that answers. So
the caller keeps places for its other commands, and an ordinary run gets no 429 (decision 0023). An event with 429 or a
status from 500 on is sent again after Retry-After; any other rejection is a failure of its line. Only events of the
current batch wait, so `FILE.progress` never passes a line that is neither accepted nor failed.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.cli.api_client import SECONDS, ApiClient, GatewayUnavailable, RetryPolicy, batch, models
from gateway.cli.watch_all.progress import FailedLine, RunProgress
from gateway.cli.watch_all.source import Line, WrongLine
from schemas.enums import CommandType

BATCH_EVENTS: Final = 100
BATCH_BYTES: Final = 480 << 10
# With no accepted event for so long the run ends; it continues at its place when it is started again.
GIVE_UP_SECONDS: Final = 600.0
_MIN_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 1.0, 30.0
RETRIES: Final = RetryPolicy(
    deadline_seconds=GIVE_UP_SECONDS,
    attempt_seconds=SECONDS,
    first_pause_seconds=_MIN_PAUSE_SECONDS,
    longest_pause_seconds=_MAX_PAUSE_SECONDS,
)
"""The retries of a request that has no result. They end after the same time."""
_SOURCE = "/gateway-watch-all"

Event = dict[str, object]


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock and the sleep of the sender."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def send_all(
    gateway: ApiClient,
    lines: Iterable[Line | WrongLine],
    progress: RunProgress,
    advance: Callable[[int], None],
    clock: Clock | None = None,
    *,
    window: int,
) -> None:
    """Send a command for each line. `advance` gets the number of the last line that is done.

    `window`: the most unfinished commands of the caller. Raises GatewayUnavailable after `GIVE_UP_SECONDS` without
    success, and RequestRejected if no event can be accepted.
    """
    sender = _Sender(gateway, clock or Clock(), window)
    for part in _parts(lines, progress.run, min(BATCH_EVENTS, window)):
        failures = [FailedLine(line.number, f"expected {line.expected}") for line in part.wrong]
        failures += sender.send(part.events)
        progress.advance(part.last, sorted(failures))
        advance(part.last)


@dataclass(slots=True)
class _Part:
    """The lines of one batch."""

    events: list[tuple[Line, Event]]
    wrong: list[WrongLine]
    last: int = 0


def _parts(lines: Iterable[Line | WrongLine], run: str, most: int) -> Iterator[_Part]:
    part, size = _Part([], []), 0
    for line in lines:
        event = None if isinstance(line, WrongLine) else _event(line, run)
        length = 0 if event is None else len(json.dumps(event)) + 2
        is_full = len(part.events) >= most or len(part.wrong) >= most
        if is_full or (part.events and size + length > BATCH_BYTES):
            yield part
            part, size = _Part([], []), 0
        part.last = line.number
        size += length
        if isinstance(line, WrongLine):
            part.wrong.append(line)
        elif event is not None:
            part.events.append((line, event))
    if part.last:
        yield part


def _event(line: Line, run: str) -> Event:
    event: Event = {
        "specversion": "1.0",
        "id": f"{run}:{line.number}",
        "source": _SOURCE,
        "type": CommandType.AUTHORIZATION_WATCH.value,
        "subject": line.authorization_id,
    }
    return event | ({"data": {"metadata": line.metadata}} if line.metadata else {})


class _Sender:
    """Sends events, and knows the unfinished commands since the last response."""

    def __init__(self, gateway: ApiClient, clock: Clock, window: int) -> None:
        self._gateway = gateway
        self._clock = clock
        self._window = window
        self._unfinished, self._ended_per_second = 0, 0.0

    def send(self, events: list[tuple[Line, Event]]) -> list[FailedLine]:
        """Send events until each is accepted or has failed; return the failures."""
        failures: list[FailedLine] = []
        success_at, pause = self._clock.now(), _MIN_PAUSE_SECONDS
        while events:
            self._wait_for_window(len(events))
            problem, again, wait = "", [], 0.0
            for (line, event), result in zip(events, self._results(events), strict=True):
                status = result["status"]
                if status == 429 or status >= 500:
                    again.append((line, event))
                    wait = max(wait, result.get("retryAfter", 0))
                    problem = result["problem"]["detail"]
                elif status != 202:
                    failures.append(_failure(line, status, result["problem"]))
            if len(again) < len(events):
                success_at, pause = self._clock.now(), _MIN_PAUSE_SECONDS
            events = again
            if events:
                self._wait(max(wait, pause), success_at, problem)
                pause = min(pause * 2, _MAX_PAUSE_SECONDS)
        return failures

    def _wait_for_window(self, count: int) -> None:
        """Wait until so many more commands fit into the window. An empty batch asks how many are unfinished."""
        least, ended_at = self._unfinished, self._clock.now()
        while pause := pause_before(self._unfinished + count - self._window, self._ended_per_second):
            self._wait(pause, ended_at, "none of the commands that were accepted has ended")
            self._results([])
            if self._unfinished < least:
                least, ended_at = self._unfinished, self._clock.now()

    def _wait(self, seconds: float, success_at: float, problem: str) -> None:
        if self._clock.now() - success_at > GIVE_UP_SECONDS:
            raise GatewayUnavailable(problem)
        self._clock.sleep(seconds)

    def _results(self, events: list[tuple[Line, Event]]) -> list[models.BatchedCommand]:
        sent = [event for _, event in events]
        response = self._gateway.send(batch(sent))
        if len(response["results"]) != len(events):
            raise GatewayUnavailable("the response has not one result for each event")
        self._unfinished, self._ended_per_second = response["unfinished"], response["endedPerSecond"]
        return response["results"]


def pause_before(excess: int, rate: float) -> float:
    """Return the seconds until so many commands are expected to end; `rate`: ends per second."""
    if excess <= 0:
        return 0.0
    return min(max(excess / rate, _MIN_PAUSE_SECONDS), _MAX_PAUSE_SECONDS) if rate else _MAX_PAUSE_SECONDS


def _failure(line: Line, status: int, problem: models.ProblemDetails) -> FailedLine:
    reason = f"{problem['title']}. {problem['detail']}"
    for fault in problem.get("errors", ()):
        # `/3/data/metadata`: the first part is the place in the batch, which says nothing about the file.
        place = "/".join((fault.get("pointer") or fault.get("header") or "").split("/")[2:])
        reason += f" {place}: {fault['detail']}." if place else f" {fault['detail']}."
    return FailedLine(line.number, reason, line.authorization_id, status)
