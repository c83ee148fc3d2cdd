"""The calls to Collate for each command, for its events (docs/decisions/0005). In memory and bounded.

No decision reads them and no commit waits for them: if they are lost, events show fewer attempts.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeVar

from adapters.collate.answers import Ambiguous, Answered, Deferred, NotSent, Refused
from adapters.collate.call_policy.calls import Priority
from adapters.collate.operations import Operation
from consumers.authorization.event_factory import at as time_at
from schemas.attempts import MOST_ATTEMPTS, Attempt
from schemas.fields.scalars import UNRECOGNISED, is_slug, word

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.collate.answers import Result
    from adapters.collate.reader import CollateReader
    from consumers.engine import Turn
    from schemas.collate.authorization import PriorAuthorization
    from schemas.collate.handoff import ManualHandoff

    Model = TypeVar("Model")

_FIRST: Final = 4
_LAST: Final = MOST_ATTEMPTS - _FIRST
_MOST_COMMANDS: Final = 4_096


class Attempts:
    """The attempts of one command: the first 4, the last 12, and the number of omitted attempts."""

    __slots__ = ("_first", "_last", "left_out")

    def __init__(self) -> None:
        self._first: list[Attempt] = []
        self._last: list[Attempt] = []
        self.left_out = 0

    def add(self, attempt: Attempt) -> None:
        """Add an attempt."""
        if len(self._first) < _FIRST:
            self._first.append(attempt)
            return
        self._last.append(attempt)
        if len(self._last) > _LAST:
            del self._last[0]
            self.left_out += 1

    async def record(
        self, operation: Operation, call: Awaitable[Result[Model]], now: Callable[[], float], n: int | None = None
    ) -> Result[Model]:
        """Make a call and add its attempt; `n` is the number of a write. A deferred call is no attempt."""
        began = now()
        result = await call
        if not isinstance(result, Deferred):
            self.add(to_attempt(operation, result, n, began, now()))
        return result

    @property
    def last_at(self) -> float:
        """Return when the last call began, Unix seconds; 0 before the first."""
        attempts = self._last or self._first
        return attempts[-1].at.timestamp() if attempts else 0.0

    @property
    def kept(self) -> list[Attempt] | None:
        """Return the attempts that are kept, in order; None if there were none."""
        return [*self._first, *self._last] or None


class AttemptLog:
    """Attempts by the record of their command. Above 4,096 commands the least recently used is dropped."""

    def __init__(self) -> None:
        self._attempts: OrderedDict[str, Attempts] = OrderedDict()

    def of(self, record_id: str) -> Attempts:
        """Return the attempts of a command."""
        attempts = self._attempts.get(record_id)
        if attempts is None:
            attempts = self._attempts[record_id] = Attempts()
            if len(self._attempts) > _MOST_COMMANDS:
                self._attempts.popitem(last=False)
        else:
            self._attempts.move_to_end(record_id)
        return attempts


class RecordedReads:
    """Reads of a command, with its turn, whose attempts are recorded; `now` is Unix seconds."""

    def __init__(self, collate: CollateReader, turn: Turn, attempts: Attempts, now: Callable[[], float]) -> None:
        self._collate = collate
        self._priority = Priority.URGENT if turn.is_urgent else Priority.COMMAND
        self._caller = turn.source
        self._attempts = attempts
        self._now = now

    async def get_authorization(self, authorization_id: str) -> Result[PriorAuthorization]:
        """Read an authorization."""
        call = self._collate.get_authorization(authorization_id, priority=self._priority, caller=self._caller)
        return await self._attempts.record(Operation.GET_AUTHORIZATION, call, self._now)

    async def get_handoff(self, authorization_id: str, handoff_id: str) -> Result[ManualHandoff]:
        """Read a handoff."""
        call = self._collate.get_handoff(authorization_id, handoff_id, priority=self._priority, caller=self._caller)
        return await self._attempts.record(Operation.GET_HANDOFF, call, self._now)


def to_attempt(
    operation: Operation,
    result: Answered[Model] | Refused | Ambiguous | NotSent,
    n: int | None,
    began: float,
    ended: float,
) -> Attempt:
    """Return the public form of a response."""
    status = code = request = None
    match result:
        case Answered():
            kind, status, request = "answered", result.status, result.request_id
        case Refused():
            kind, status, code, request = "refused", result.status, result.code, result.request_id
        case Ambiguous():
            kind, status, code, request = "ambiguous", result.status, result.cause.value, result.request_id
        case NotSent():
            kind, code = "not_sent", result.cause.value
    return Attempt.model_construct(
        at=time_at(began),
        operation=operation.value,
        result=kind,
        status=status,
        code=code if code is not None and is_slug(code) else None,
        ms=max(0, round((ended - began) * 1_000)),
        write=n,
        # Only a word: a request id of Collate could contain anything.
        request_id=None if request is None or word(request) == UNRECOGNISED else request,
    )
