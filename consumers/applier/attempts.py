"""The calls to Collate for each command, for its events (docs/decisions/0005). In memory and bounded.

No decision reads them and no commit waits for them: if they are lost, events show fewer attempts.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeVar

from adapters.collate.answers import Ambiguous, Answered, NotSent, Refused
from consumers.authorization.event_factory import at as time_at
from schemas.attempts import MOST_ATTEMPTS, Attempt
from schemas.fields.scalars import UNRECOGNISED, word

if TYPE_CHECKING:
    from adapters.collate.operations import Operation

    Model = TypeVar("Model")

_FIRST: Final = 4
_LAST: Final = MOST_ATTEMPTS - _FIRST
_MOST_COMMANDS: Final = 4_096
_SLUG: Final = re.compile(r"[a-z0-9_]{1,64}")


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
        code=code if code is not None and _SLUG.fullmatch(code) else None,
        ms=max(0, round((ended - began) * 1_000)),
        write=n,
        # Only a word: a request id of Collate could contain anything.
        request_id=None if request is None or word(request) == UNRECOGNISED else request,
    )
