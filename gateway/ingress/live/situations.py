"""The current state of an authorization and a handoff at Collate. Reads only."""

import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from adapters.collate.answers import Answered, Deferred, NotSent, Refused
from adapters.collate.call_policy.calls import Priority
from adapters.collate.operations import Operation
from adapters.collate.reader import CollateReader
from gateway.ingress.live.openings import Openings
from gateway.ingress.live.outcomes import UpstreamError
from gateway.ingress.shared_reads import SharedReads
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import HandoffState, ManualHandoff
from schemas.events.wait_reasons import HoldReason


@dataclass(frozen=True, slots=True)
class Situation:
    """An authorization, and the requested or the active handoff; None if Collate has none.

    It was so at `at` or later: the time is that before the first read.
    """

    at: datetime
    authorization: PriorAuthorization
    handoff_id: str | None = None
    handoff: ManualHandoff | None = None

    @property
    def is_of_one_time(self) -> bool:
        """Whether both parts agree. If not, the handoff was opened or closed between their reads."""
        running = self.authorization.active_manual_handoff
        if self.handoff_id is None or (running is not None and running.id is None):
            return True
        is_open = self.handoff is not None and self.handoff.state != HandoffState.CLOSED
        return is_open == (running is not None and running.id == self.handoff_id)


class OlderThanOpening(Exception):
    """Collate answered with an older state than the one that showed the last opening."""


class Situations:
    """Reads situations: first the authorization, so that the handoff is never older.

    If the two disagree, both are read again, once: after that, the disagreement is Collate's.
    """

    def __init__(self, collate: CollateReader, now: Callable[[], float] = time.time) -> None:
        self._collate = collate
        self._now = now

    def now(self) -> datetime:
        """Return the time."""
        return datetime.fromtimestamp(self._now(), UTC)

    async def read(
        self, authorization_id: str, handoff_id: str | None, caller: str, known: Situation | None = None
    ) -> Situation | UpstreamError:
        """Return the situation with this handoff, or with the active one. `known` has its authorization already."""
        found = await self._read(authorization_id, handoff_id, caller, known)
        if isinstance(found, UpstreamError) or found.is_of_one_time:
            return found
        return await self._read(authorization_id, handoff_id, caller)

    async def _read(
        self, authorization_id: str, handoff_id: str | None, caller: str, known: Situation | None = None
    ) -> Situation | UpstreamError:
        if known is None:
            at = self.now()
            found = await self._collate.get_authorization(authorization_id, priority=Priority.LIVE, caller=caller)
            if not isinstance(found, Answered):
                return UpstreamError(Operation.GET_AUTHORIZATION, found)
            known = Situation(at, found.model)
        wanted_id = handoff_id or known.authorization.active_handoff_id
        if wanted_id is None:
            return known
        handoff = await self._collate.get_handoff(authorization_id, wanted_id, priority=Priority.LIVE, caller=caller)
        if isinstance(handoff, Answered):
            return replace(known, handoff_id=wanted_id, handoff=handoff.model)
        if isinstance(handoff, Refused) and handoff.status == 404 and not handoff.suspended:
            return replace(known, handoff_id=wanted_id, handoff=None)
        return UpstreamError(Operation.GET_HANDOFF, handoff)


_Read = Callable[[], Coroutine[Any, Any, Situation | UpstreamError]]


class SharedSituations:
    """Situations that all viewers share: one read of each authorization in 5 s (docs/decisions/0021-live-reads.md)."""

    def __init__(self, situations: Situations, openings: Openings) -> None:
        self._situations = situations
        self._openings = openings
        self._reads = SharedReads[Situation | UpstreamError](_was_read)

    async def read(
        self, authorization_id: str, handoff_id: str | None, caller: str, since: datetime | None = None
    ) -> Situation | UpstreamError:
        """Return the situation with this handoff, or with the active one, at most 5 s after it was read.

        A read that began before `since`, or before an opening was known, is not used. A later time than now is now:
        clocks differ. Raises OlderThanOpening.
        """
        earliest = None if since is None else min(since, self._situations.now())
        if (opening := self._openings.last(authorization_id)) is not None:
            earliest = opening.seen_at if earliest is None else max(earliest, opening.seen_at)
        read = partial(self._situations.read, authorization_id, None, caller)
        found = await self._shared(
            authorization_id,
            caller,
            read,
            lambda kept: earliest is None or isinstance(kept, UpstreamError) or kept.at >= earliest,
        )
        if isinstance(found, UpstreamError):
            return found
        if opening is not None and opening.version is not None and found.authorization.version < opening.version:
            raise OlderThanOpening
        if handoff_id is None or handoff_id == found.handoff_id:
            return found
        # The time in the key: the authorization of a kept value must not be older than 5 s either.
        read = partial(self._situations.read, authorization_id, handoff_id, caller, found)
        return await self._shared((authorization_id, handoff_id, found.at), caller, read)

    async def _shared(
        self,
        key: Hashable,
        caller: str,
        read: _Read,
        accepts: Callable[[Situation | UpstreamError], bool] = lambda _: True,
    ) -> Situation | UpstreamError:
        """Return the read of this key. A viewer does not get the deferral of another caller's call."""
        is_own = False

        def begin() -> Coroutine[Any, Any, Situation | UpstreamError]:
            nonlocal is_own
            is_own = True
            return read()

        found = await self._reads.get(key, begin, accepts)
        if is_own or not isinstance(found, UpstreamError):
            return found
        match found.answer:
            case Deferred(reason=HoldReason.BUDGET):
                return await self._reads.get((key, caller), read, accepts)
        return found


def _was_read(outcome: Situation | UpstreamError) -> bool:
    """Return whether Collate was asked: only such a read takes from the share of other viewers."""
    return not (isinstance(outcome, UpstreamError) and isinstance(outcome.answer, Deferred | NotSent))
