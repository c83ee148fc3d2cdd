"""Recognises an observation that repeats the last one, before anything is decoded.

An observation is a function of the state, the bodies that Collate returns, and the time of the next event that time
alone causes. If an observation changed nothing, the same state and the same bodies change nothing again. So the watcher
remembers a digest of each body, for authorizations that it reads often. A version is not enough: Collate may show two
states at one version (consumers/authorization/known.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from adapters.collate.answers import Answered
from adapters.collate.call_policy.calls import Priority
from adapters.collate.response_parser import digest_of
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff

if TYPE_CHECKING:
    from adapters.collate.answers import Result
    from adapters.collate.reader import CollateReader
    from consumers.watcher.cadence import Pace

Body = TypeVar("Body", PriorAuthorization, ManualHandoff)

# An entry takes about 400 bytes, which a rare observation does not repay.
_LONGEST_STEP_SECONDS: Final = 300.0
_MOST_REMEMBERED: Final = 50_000


@dataclass(frozen=True, slots=True)
class LastObservation:
    """The last observation of an authorization, which changed nothing.

    Attributes:
        state: the hash of the state.
        pace: when to observe next.
        quiet_until: when time alone causes an event.
        authorization: the digest of the authorization's body.
        handoffs: the ids of the handoffs that were read, and the digests of their bodies.
    """

    state: int
    pace: Pace
    quiet_until: float
    authorization: bytes
    handoffs: tuple[tuple[str, bytes], ...]


class LastObservations:
    """The last observations by key; above 50,000 the oldest is dropped. One instance for the whole process."""

    def __init__(self, most: int = _MOST_REMEMBERED) -> None:
        self._by_key: dict[bytes, LastObservation] = {}
        self._most = most

    def __len__(self) -> int:
        """Count the authorizations."""
        return len(self._by_key)

    def of(self, key: bytes, state: bytes | None, now: float) -> LastObservation | None:
        """Return the last observation if it was made with this state, and time alone has caused no event since."""
        last = self._by_key.get(key)
        if last is None:
            return None
        if last.state == hash(state) and now < last.quiet_until and last.pace.every(now) <= _LONGEST_STEP_SECONDS:
            return last
        del self._by_key[key]
        return None

    def remember(self, key: bytes, last: LastObservation, now: float) -> None:
        """Keep an observation that changed nothing, if the next one follows soon."""
        self._by_key.pop(key, None)
        if last.pace.every(now) <= _LONGEST_STEP_SECONDS:
            if len(self._by_key) >= self._most:
                del self._by_key[next(iter(self._by_key))]
            self._by_key[key] = last


class ObservationReads:
    """The reads of one observation, with the digests of their bodies.

    The first read has the priority of the authorization. A handoff's read never waits behind idle authorizations: to
    defer it would waste the first.
    """

    def __init__(self, collate: CollateReader) -> None:
        self.priority = Priority.OBSERVATION
        self._collate = collate
        self._digest: bytes | None = None
        self._handoff_digests: dict[str, bytes] = {}
        self._authorization: Result[PriorAuthorization | None] | None = None
        self._handoffs: dict[str, Result[ManualHandoff | None]] = {}

    async def repeat(self, authorization_id: str, last: LastObservation) -> bool:
        """Repeat the reads of the last observation; return whether all bodies are the same.

        The other reads of this observation use the responses, so that no call is made twice.
        """
        result = self._authorization = await self._collate.reread_authorization(
            authorization_id, unless=last.authorization, priority=last.pace.priority
        )
        is_same = isinstance(result, Answered) and result.model is None
        for handoff_id, digest in last.handoffs if is_same else ():
            answer = self._handoffs[handoff_id] = await self._collate.reread_handoff(
                authorization_id, handoff_id, unless=digest, priority=Priority.OBSERVATION
            )
            if not isinstance(answer, Answered) or answer.model is not None:
                return False
        return is_same

    def last_observation(self, state: bytes | None, pace: Pace, quiet_until: float) -> LastObservation | None:
        """Return this observation, which changed nothing; None if a response had no body to compare with."""
        if self._digest is None:
            return None
        return LastObservation(hash(state), pace, quiet_until, self._digest, tuple(self._handoff_digests.items()))

    async def get_authorization(self, authorization_id: str) -> Result[PriorAuthorization]:
        """Read an authorization."""
        repeated, self._authorization = self._authorization, None
        if repeated is None:
            result = await self._collate.get_authorization(authorization_id, priority=self.priority)
        else:
            result = _decoded(repeated, PriorAuthorization)
        self._digest = digest_of(result.body) if isinstance(result, Answered) else None
        return result

    async def get_handoff(self, authorization_id: str, handoff_id: str) -> Result[ManualHandoff]:
        """Read a handoff."""
        repeated = self._handoffs.pop(handoff_id, None)
        if repeated is None:
            result = await self._collate.get_handoff(authorization_id, handoff_id, priority=Priority.OBSERVATION)
        else:
            result = _decoded(repeated, ManualHandoff)
        if isinstance(result, Answered):
            self._handoff_digests[handoff_id] = digest_of(result.body)
        else:
            self._digest = None
        return result


def _decoded(result: Result[Body | None], model: type[Body]) -> Result[Body]:
    """Decode a repeated body after all: another body of this observation differs."""
    if not isinstance(result, Answered):
        return result
    decoded = model.from_wire(result.body) if result.model is None else result.model
    return Answered(result.status, decoded, result.body, result.request_id)
