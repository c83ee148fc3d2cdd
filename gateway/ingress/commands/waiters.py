"""Requests that wait for a command's outcome, and recent outcomes for requests that come later.

The tail of `events` feeds it, and through it the places of unfinished commands and the counts of unknown
authorizations. A waiter registers before its command is appended, so it misses no outcome, whichever replica received
the command. A waiter ends with the outcome, with a dead letter, after its seconds, when its client closes its side of
the connection, and when the process stops.
Invariant: waiters are bounded per caller, for all people of a prefix (`shares`) and in all, so others find a place.
The body of an event is parsed only for a request that wants it, or if it is of an unknown authorization: every replica
sees the outcomes of all commands.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from starlette.types import Receive

from gateway.ingress.api_http.request import disconnected
from gateway.ingress.auth.shares import shares_of
from gateway.ingress.commands.unfinished import UnfinishedCommands
from gateway.ingress.commands.unknown import MARK, UnknownCounts
from gateway.middleware.exchange import Places
from runtime.metrics import IngressMetrics
from runtime.settings.ingress import MOST_OUTCOMES
from schemas.enums import EventType
from schemas.events import CommandDeadLettered, CommandFinished
from schemas.records import TopicRecord
from schemas.times import parse_time

_WAITING = EventType.COMMAND_WAITING.encode()
_FINISHED = EventType.COMMAND_FINISHED.encode()
_DEAD_LETTERED = EventType.COMMAND_DEAD_LETTERED.encode()
# Each is the end of the record that caused it.
_OF_RECORDS = frozenset(
    type_.encode()
    for type_ in (
        EventType.HANDOFF_ACCESS_GRANTED,
        EventType.HANDOFF_RELEASED,
        EventType.AUTHORIZATION_CONTENT_READ,
        EventType.AUTHORIZATION_RECENT_COMMANDS_EMPTIED,
        EventType.AUTHORIZATION_VERSION_FLOOR_LOWERED,
    )
)
_NEWS = frozenset((_FINISHED, _DEAD_LETTERED))
_KINDS = _NEWS | _OF_RECORDS | {_WAITING}


@dataclass(frozen=True, slots=True)
class Finished:
    """A command's outcome, and the time when the worker published it."""

    event: CommandFinished
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Unparsed:
    """An outcome as its record holds it, and when this replica received it."""

    value: bytes
    finished_at: bytes
    since: float


@dataclass(frozen=True, slots=True)
class WaitingForOperator:
    """A command that became a dead letter. This is not its outcome: an operator's decision will follow."""

    event: CommandDeadLettered


class _End(StrEnum):
    """The end of a wait without news of the command; the label of the metric."""

    TIMEOUT = "timeout"
    LEFT = "left"
    STOPPED = "stopped"


News = Finished | WaitingForOperator
Waiter = asyncio.Future[News | _End]


class Waiters:
    """At most `capacity` waiting requests, in shares with `per_caller` for one, and the last `remembered` outcomes.

    An outcome is remembered for `retention_seconds`, like an idempotency key: later the same id is another command. A
    dead letter is not remembered, because a redrive makes it history.
    """

    def __init__(
        self,
        metrics: IngressMetrics,
        unfinished: UnfinishedCommands,
        unknown: UnknownCounts,
        *,
        capacity: int,
        per_caller: int,
        remembered: int = MOST_OUTCOMES,
        retention_seconds: float,
    ) -> None:
        self._capacity = capacity
        self._per_caller = per_caller
        self._remembered = remembered
        self._retention_seconds = retention_seconds
        self._metrics = metrics
        self._unfinished = unfinished
        self._unknown = unknown
        self._waiters: dict[str, list[tuple[Waiter, Callable[[News], bool]]]] = {}
        self._outcomes: OrderedDict[str, _Unparsed] = OrderedDict()
        self._count = 0
        self._places = Places()
        self._is_stopping = False
        metrics.waiters.set_function(lambda: self._count)

    def recent_outcome(self, command_id: str) -> Finished | None:
        """Return the command's outcome, if this replica remembers it."""
        unparsed = self._outcomes.get(command_id)
        if unparsed is None or time.monotonic() - unparsed.since > self._retention_seconds:
            return None
        return _finished(unparsed)

    @contextmanager
    def register(
        self, command_id: str, caller: str, is_wanted: Callable[[News], bool] = lambda _: True
    ) -> Iterator[Waiter | None]:
        """Provide a waiter for the command, or None if the caller, people of its prefix or all callers have too many.

        A known outcome needs no place. News that is not wanted does not end the wait. After `release`, none begins.
        """
        waiter: Waiter = asyncio.get_running_loop().create_future()
        if (outcome := self.recent_outcome(command_id)) and is_wanted(outcome):
            waiter.set_result(outcome)
            yield waiter
            return
        if self._is_stopping:
            self._metrics.waits.labels(_End.STOPPED).inc()
            yield None
            return
        shares = shares_of(caller, self._capacity, self._per_caller)
        if self._count >= self._capacity or any(self._places.taken(name) >= share for name, share in shares.items()):
            self._metrics.waits.labels("full").inc()
            yield None
            return
        self._waiters.setdefault(command_id, []).append((waiter, is_wanted))
        self._count += 1
        self._places.enter(shares)
        try:
            yield waiter
        finally:
            self._count -= 1
            self._places.leave(shares)
            others = [other for other in self._waiters[command_id] if other[0] is not waiter]
            if others:
                self._waiters[command_id] = others
            else:
                del self._waiters[command_id]

    async def wait(self, waiter: Waiter, seconds: float, receive: Receive) -> News | None:
        """Wait for news of the command. Return None after `seconds`, when the client leaves or the process stops.

        `receive` is the request's, after its body. A client that has only closed its own side still gets the response.
        """
        departure = asyncio.create_task(disconnected(receive))
        departure.add_done_callback(lambda _: _end(waiter, _End.LEFT))
        try:
            async with asyncio.timeout(seconds):
                result = await waiter
        except TimeoutError:
            result = _End.TIMEOUT
        finally:
            departure.cancel()
        match result:
            case _End():
                self._metrics.waits.labels(result).inc()
                return None
            case Finished():
                self._metrics.waits.labels("finished").inc()
            case WaitingForOperator():
                self._metrics.waits.labels("dead_lettered").inc()
        return result

    def release(self) -> None:
        """End all waits and begin no more, because this process stops."""
        self._is_stopping = True
        for waiters in self._waiters.values():
            for waiter, _ in waiters:
                _end(waiter, _End.STOPPED)

    def on_record(self, record: TopicRecord) -> None:
        """Pass the news in a record of `events` to the command's waiters and its place. Remember an outcome."""
        headers, now = dict(record.headers), time.monotonic()
        kind, cause, value = headers.get("ce_type"), headers.get("ce_causationid"), record.value
        if kind not in _KINDS or cause is None or value is None:
            return
        command_id = cause.decode("ascii", "replace")
        self._note_place(command_id, kind, now)
        if kind not in _NEWS:
            return
        news: News | None = None
        waiters, is_unknown = self._waiters.get(command_id, ()), MARK in value
        if kind == _FINISHED:
            unparsed = _Unparsed(value, headers.get("ce_time", b""), now)
            self._outcomes[command_id] = unparsed
            self._outcomes.move_to_end(command_id)
            if len(self._outcomes) > self._remembered:
                self._outcomes.popitem(last=False)
            news = _finished(unparsed) if waiters or is_unknown else None
        elif waiters or is_unknown:
            news = _dead_lettered(value)
        if news is not None:
            if is_unknown:
                self._unknown.learn(news.event, record.partition, now)
            for waiter, is_wanted in waiters:
                if is_wanted(news):
                    _end(waiter, news)

    def _note_place(self, command_id: str, kind: bytes | None, now: float) -> None:
        if kind == _WAITING:
            self._unfinished.refresh(command_id, now)
        else:
            self._unfinished.end(command_id, now)


def _end(waiter: Waiter, result: News | _End) -> None:
    if not waiter.done():
        waiter.set_result(result)


def _finished(unparsed: _Unparsed) -> Finished | None:
    try:
        event = CommandFinished.from_record(unparsed.value)
        return Finished(event, parse_time(unparsed.finished_at.decode("ascii")) if unparsed.finished_at else None)
    except ValueError:
        return None  # a newer version of the gateway wrote the event; the waiters get their 202


def _dead_lettered(value: bytes) -> WaitingForOperator | None:
    try:
        return WaitingForOperator(CommandDeadLettered.from_record(value))
    except ValueError:
        return None  # as above
