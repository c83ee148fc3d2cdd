"""Access grants: look, mint, record, and only then hand over.

    handoff (or the active one) ─▶ can it be entered? ─▶ mint ─▶ lives long enough? ─▶ on record? ─▶ Granted
                                                          ▲            │ no: thrown away
                                                          └────────────┘
A link lives in memory and in the one answer; nothing here fetches, logs or keeps it. Opening it is the browser's act
(collate-api.md section 6). Invariant: no link leaves unrecorded.
"""

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from adapters.collate.answers import Ambiguous, Answered, NotSent, Result
from adapters.collate.budget import Priority
from adapters.collate.operations import Operation, write_key
from gateway.ingress.live.outcomes import Access, Granted, NotOpen, Unavailable, Unrecorded, UpstreamError
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import AccessGrant, HandoffState, ManualHandoff
from schemas.identity import request_id

ACTIVE = "active"
# A link that works for less is gone before a person has clicked it.
SHORTEST_SECONDS = 30.0
# Mints whose answer was too old (a replay of an earlier one), and sendings of one mint whose answer got lost.
MOST_MINTS = 4
MOST_SENDINGS = 3


class Collate(Protocol):
    """What is asked of Collate."""

    async def get_authorization(self, authorization_id: str, *, priority: Priority) -> Result[PriorAuthorization]:
        """Read an authorization."""

    async def get_handoff(self, authorization_id: str, handoff_id: str, *, priority: Priority) -> Result[ManualHandoff]:
        """Read a handoff."""

    async def mint_grant(
        self, authorization_id: str, handoff_id: str, *, key: str, priority: Priority
    ) -> Result[AccessGrant]:
        """Mint a grant."""


class Record(Protocol):
    """Where accesses are put on record."""

    @property
    def is_open(self) -> bool:
        """Whether a record may be offered now."""

    async def put(self, access: Access) -> float | None:
        """Record an access: None once it is durable, else the seconds after which to try again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A grant that somebody asks for; `retry_key` is the caller's Idempotency-Key, for its own retries."""

    authorization_id: str
    handoff_id: str
    operator: str
    caller: str
    retry_key: str | None = None


class Grants:
    """Mints access grants."""

    def __init__(self, collate: Collate, record: Record, now: Callable[[], float] = time.time) -> None:
        self._collate = collate
        self._record = record
        self._now = now

    async def mint(self, wanted: Wanted) -> Granted | NotOpen | Unrecorded | UpstreamError:
        """Mint a grant, record that it goes to the operator, and return it."""
        if not self._record.is_open:
            return Unrecorded(retry_after_seconds=2.0)
        handoff = await self._find(wanted)
        if not isinstance(handoff, ManualHandoff):
            return handoff
        shut = _shut(handoff)
        if shut is not None:
            return NotOpen(shut, handoff.id, handoff.result)
        seed = _seed(wanted, handoff.id)
        for number in range(MOST_MINTS):
            answer = await self._send(wanted.authorization_id, handoff.id, _key(seed, number))
            if not isinstance(answer, Answered):
                return UpstreamError(Operation.MINT_GRANT, answer)
            grant = answer.model
            if grant.expires_at.timestamp() - self._now() <= SHORTEST_SECONDS:
                continue
            access = Access(
                authorization_id=wanted.authorization_id,
                handoff_id=handoff.id,
                operator=wanted.operator,
                caller=wanted.caller,
                expires_at=grant.expires_at,
                record_id=_record_id(seed, number, wanted.operator),
            )
            retry_after = await self._record.put(access)
            return Granted(handoff.id, grant) if retry_after is None else Unrecorded(retry_after)
        return NotOpen(Unavailable.GRANTS_TOO_SHORT, handoff.id)

    async def _find(self, wanted: Wanted) -> ManualHandoff | NotOpen | UpstreamError:
        handoff_id = wanted.handoff_id
        if handoff_id == ACTIVE:
            found = await self._collate.get_authorization(wanted.authorization_id, priority=Priority.LIVE)
            if not isinstance(found, Answered):
                return UpstreamError(Operation.GET_AUTHORIZATION, found)
            if found.model.active_handoff_id is None:
                return NotOpen(Unavailable.NO_ACTIVE_HANDOFF)
            handoff_id = found.model.active_handoff_id
        handoff = await self._collate.get_handoff(wanted.authorization_id, handoff_id, priority=Priority.LIVE)
        return handoff.model if isinstance(handoff, Answered) else UpstreamError(Operation.GET_HANDOFF, handoff)

    async def _send(self, authorization_id: str, handoff_id: str, key: str) -> Result[AccessGrant]:
        """Mint under one key; the transport's retries are the same request again."""
        for _ in range(MOST_SENDINGS):
            answer = await self._collate.mint_grant(authorization_id, handoff_id, key=key, priority=Priority.LIVE)
            if not isinstance(answer, Ambiguous | NotSent):
                break
        return answer


def _shut(handoff: ManualHandoff) -> Unavailable | None:
    match handoff.state:
        case HandoffState.OFFERED:
            return Unavailable.HANDOFF_NOT_ACTIVE_YET
        case HandoffState.CLOSING:
            return Unavailable.HANDOFF_CLOSING
        case HandoffState.CLOSED:
            return Unavailable.HANDOFF_CLOSED
    return None if handoff.access_available else Unavailable.ACCESS_NOT_AVAILABLE


def _seed(wanted: Wanted, handoff_id: str) -> str:
    """Return what a mint's keys derive from: the caller's key if there is one, so that its retry is the same mint."""
    if wanted.retry_key is None:
        return secrets.token_hex(16)
    return request_id("grant", wanted.caller, wanted.authorization_id, handoff_id, wanted.retry_key)


def _key(seed: str, number: int) -> str:
    # The last try owes nothing to the caller's key: under it only old answers are replayed.
    return write_key(secrets.token_hex(16) if number == MOST_MINTS - 1 else seed, Operation.MINT_GRANT, number)


def _record_id(seed: str, number: int, operator: str) -> str:
    if number == MOST_MINTS - 1:
        return str(uuid.uuid4())
    return request_id("access", seed, number, operator)
