"""Sends watch commands in batches, at the pace that the gateway allows.

An event with 429 or a status from 500 on is sent again after Retry-After; any other rejection is a failure of its line.
Only events of the current batch wait, so `FILE.progress` never passes a line that is neither accepted nor failed.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.cli.api_client import GatewayUnavailable
from gateway.cli.watch_all.progress import FailedLine, RunProgress
from gateway.cli.watch_all.source import Line, WrongLine
from schemas.enums import CommandType

BATCH_EVENTS: Final = 100
BATCH_BYTES: Final = 480 << 10
# With no accepted event for so long the run ends; it continues at its place when it is started again.
GIVE_UP_SECONDS: Final = 600.0
_MIN_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 1.0, 30.0
_SOURCE = "/gateway-watch-all"

Json = dict[str, Any]


class BatchClient(Protocol):
    """The method of the gateway's client that is used."""

    def send_batch(self, events: list[Json]) -> list[Json]:
        """Send a batch and return the results in its order. Raises GatewayUnavailable, RequestRejected."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock and the sleep of the sender."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def send_all(
    gateway: BatchClient,
    lines: Iterable[Line | WrongLine],
    progress: RunProgress,
    advance: Callable[[int], None],
    clock: Clock | None = None,
) -> None:
    """Send a command for each line. `advance` gets the number of the last line that is done.

    Raises GatewayUnavailable after `GIVE_UP_SECONDS` without success, and RequestRejected if no event can be accepted.
    """
    sender = _Sender(gateway, clock or Clock())
    for batch in _batches(lines, progress.run):
        failures = [FailedLine(line.number, f"expected {line.expected}") for line in batch.wrong]
        failures += sender.send(batch.events)
        progress.advance(batch.last, sorted(failures, key=lambda failure: failure.line))
        advance(batch.last)


@dataclass(slots=True)
class _Batch:
    events: list[tuple[Line, Json]]
    wrong: list[WrongLine]
    last: int = 0


def _batches(lines: Iterable[Line | WrongLine], run: str) -> Iterator[_Batch]:
    batch, size = _Batch([], []), 0
    for line in lines:
        event = None if isinstance(line, WrongLine) else _event(line, run)
        length = 0 if event is None else len(json.dumps(event)) + 2
        is_full = len(batch.events) >= BATCH_EVENTS or len(batch.wrong) >= BATCH_EVENTS
        if is_full or (batch.events and size + length > BATCH_BYTES):
            yield batch
            batch, size = _Batch([], []), 0
        batch.last = line.number
        size += length
        if isinstance(line, WrongLine):
            batch.wrong.append(line)
        elif event is not None:
            batch.events.append((line, event))
    if batch.last:
        yield batch


def _event(line: Line, run: str) -> Json:
    event: Json = {
        "specversion": "1.0",
        "id": f"{run}:{line.number}",
        "source": _SOURCE,
        "type": CommandType.AUTHORIZATION_WATCH.value,
        "subject": line.authorization_id,
    }
    return event | ({"data": {"metadata": line.metadata}} if line.metadata else {})


class _Sender:
    def __init__(self, gateway: BatchClient, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock

    def send(self, events: list[tuple[Line, Json]]) -> list[FailedLine]:
        """Send events until each is accepted or has failed; return the failures."""
        failures: list[FailedLine] = []
        success_at, pause = self._clock.now(), _MIN_PAUSE_SECONDS
        while events:
            problem, again, wait = "", events, None
            try:
                results = self._gateway.send_batch([event for _, event in events])
            except GatewayUnavailable as error:
                problem, wait = str(error), error.retry_after
            else:
                again, wait = [], 0.0
                for (line, event), result in zip(events, results, strict=True):
                    status = int(result["status"])
                    if status == 429 or status >= 500:
                        again.append((line, event))
                        wait = max(wait, float(result.get("retryAfter") or 0))
                        problem = str(result["problem"]["detail"])
                    elif status != 202:
                        failures.append(_failure(line, status, result["problem"]))
            if len(again) < len(events):
                success_at, pause = self._clock.now(), _MIN_PAUSE_SECONDS
            events = again
            if events:
                if self._clock.now() - success_at > GIVE_UP_SECONDS:
                    raise GatewayUnavailable(problem)
                self._clock.sleep(max(wait or 0.0, pause))
                pause = min(pause * 2, _MAX_PAUSE_SECONDS)
        return failures


def _failure(line: Line, status: int, problem: Json) -> FailedLine:
    reason = f"{problem['title']}. {problem['detail']}"
    for fault in problem.get("errors", ()):
        # `/3/data/metadata`: the first part is the place in the batch, which says nothing about the file.
        place = "/".join(str(fault.get("pointer") or fault.get("header") or "").split("/")[2:])
        reason += f" {place}: {fault['detail']}." if place else f" {fault['detail']}."
    return FailedLine(line.number, reason, line.authorization_id, status)
