"""Access grants: read the handoff, mint, record the access, and only then return the link.

    handoff (or the active one) ─▶ open for access? ─▶ opened by the service? claimed by another person?
            ┌──────────────────────────────────────────┘
            └─▶ mint ─▶ valid long enough? ─▶ recorded? ─▶ Granted
                 ▲            │ no: discarded
                 └────────────┘
A link exists only in memory and in one response; nothing here opens, logs or stores it. The operator's browser opens
it (docs/collate-contract.md §6). Invariant: no link is returned before its access is recorded.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from adapters.collate.answers import Ambiguous, Answered, NotSent, Result
from adapters.collate.call_policy.calls import Priority
from adapters.collate.client import CollateClient
from adapters.collate.operations import Operation, write_key
from adapters.http_connection.cause import Cause
from gateway.ingress.commands.claims import ClaimReader, ClaimsUnknown, NoClaims
from gateway.ingress.live.audit import AccessPlace, AccessRecord
from gateway.ingress.live.outcomes import (
    ClaimCheckFailed,
    ClaimedByAnother,
    FailedCheck,
    Granted,
    NoAccess,
    NotOpen,
    NotTheOpener,
    OpenerUnknown,
    Unrecorded,
    UpstreamError,
)
from schemas.callers import asserted_by
from schemas.collate.handoff import AccessGrant, HandoffState, ManualHandoff
from schemas.commands import RecordAccess
from schemas.enums import AssertedBy, ClaimCheck
from schemas.identity import request_id

ACTIVE = "active"
# A link with a shorter validity expires before an operator opens it.
MIN_VALID_SECONDS = 30.0
# Limits: mints that return an old grant (a replay of an earlier mint), and attempts of one mint without a result.
MAX_MINTS = 4
MAX_ATTEMPTS = 3
# The pause before a repeat of a mint doubles from here. A person waits for the link: a longer Retry-After is the
# caller's to obey.
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 2.5
# The operator may be able to do something about these.
_WITH_MESSAGE = (NoAccess.HANDOFF_NOT_ACTIVE_YET, NoAccess.ACCESS_NOT_AVAILABLE)
# A timer may expire some milliseconds early, and the budget would then defer the call.
_MARGIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """A caller's request for a grant. `retry_key` is its Idempotency-Key, the same for its retries."""

    authorization_id: str
    handoff_id: str
    operator: str
    caller: str
    retry_key: str | None = None
    take_over: bool = False
    requires_claim_check: bool = False
    own_handoffs: bool = False

    @property
    def is_of_person(self) -> bool:
        """Whether a person asks with their own token."""
        return asserted_by(self.caller) is AssertedBy.PERSON


class Grants:
    """Mints access grants."""

    def __init__(
        self,
        collate: CollateClient,
        record: AccessRecord,
        now: Callable[[], float] = time.time,
        *,
        claims: ClaimReader = NoClaims(),  # noqa: B008 - it has no state
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._collate = collate
        self._record = record
        self._claims = claims
        self._now = now
        self._sleep = sleep
        self._chance = chance

    async def mint(self, request: GrantRequest) -> Granted | NotOpen | FailedCheck | Unrecorded | UpstreamError:
        """Mint a grant, record the operator's access, and return the grant. Raises TooManyUnfinished."""
        if not self._record.is_open:
            return Unrecorded(retry_after_seconds=2.0)
        with self._record.place(request.authorization_id, request.caller) as place:
            return await self._mint(request, place)

    async def _mint(
        self, request: GrantRequest, place: AccessPlace
    ) -> Granted | NotOpen | FailedCheck | Unrecorded | UpstreamError:
        handoff = await self._find(request)
        if not isinstance(handoff, ManualHandoff):
            return handoff
        unavailable = _unavailable(handoff)
        if unavailable is not None:
            message = handoff.message if unavailable in _WITH_MESSAGE else None
            return NotOpen(unavailable, handoff.id, handoff.result, message)
        check = await self._check(request, handoff.id)
        if not isinstance(check, ClaimCheck | None):
            return check
        seed = _seed(request, handoff.id)
        for number in range(MAX_MINTS):
            answer = await self._send(request, handoff.id, _key(seed, number))
            if not isinstance(answer, Answered):
                return UpstreamError(Operation.MINT_GRANT, answer)
            grant = answer.model
            if grant.expires_at.timestamp() - self._now() <= MIN_VALID_SECONDS:
                continue
            access = RecordAccess(
                handoff_id=handoff.id,
                operator=request.operator,
                grant_expires_at=grant.expires_at,
                take_over=request.take_over or None,
                claim_check=check,
            )
            retry_after = await place.append(access)
            granted = Granted(handoff.id, grant, handoff.message, check)
            return granted if retry_after is None else Unrecorded(retry_after)
        return NotOpen(NoAccess.GRANTS_TOO_SHORT, handoff.id)

    async def _check(self, request: GrantRequest, handoff_id: str) -> ClaimCheck | FailedCheck | None:
        """Check the claim for a person, and the opener for a service that has only its own handoffs."""
        if request.own_handoffs:
            return await opener_check(self._claims, request.authorization_id, handoff_id, request.caller)
        if not request.is_of_person:
            return None
        try:
            known = await self._claims.open_handoff(request.authorization_id, handoff_id, request.caller)
        except ClaimsUnknown:
            return ClaimCheckFailed() if request.requires_claim_check else ClaimCheck.SKIPPED
        claim = known.claim if known is not None else None
        if claim is not None and claim.caller != request.caller and not request.take_over:
            return ClaimedByAnother(handoff_id, claim)
        return ClaimCheck.DONE

    async def _find(self, request: GrantRequest) -> ManualHandoff | NotOpen | UpstreamError:
        handoff_id = request.handoff_id
        if handoff_id == ACTIVE:
            found = await self._collate.get_authorization(
                request.authorization_id, priority=Priority.LIVE, caller=request.caller
            )
            if not isinstance(found, Answered):
                return UpstreamError(Operation.GET_AUTHORIZATION, found)
            if fields := found.model.unread_fields:
                unreadable = Ambiguous(Cause.UNREADABLE, found.status, request_id=found.request_id, fields=fields)
                return UpstreamError(Operation.GET_AUTHORIZATION, unreadable)
            if found.model.active_handoff_id is None:
                return NotOpen(NoAccess.NO_ACTIVE_HANDOFF)
            handoff_id = found.model.active_handoff_id
        handoff = await self._collate.get_handoff(
            request.authorization_id, handoff_id, priority=Priority.LIVE, caller=request.caller
        )
        return handoff.model if isinstance(handoff, Answered) else UpstreamError(Operation.GET_HANDOFF, handoff)

    async def _send(self, request: GrantRequest, handoff_id: str, key: str) -> Result[AccessGrant]:
        """Mint under one key; each retry is the identical request, after a pause that counts from the answer."""
        for number in range(MAX_ATTEMPTS):
            answer = await self._collate.mint_grant(
                request.authorization_id, handoff_id, key=key, priority=Priority.LIVE, caller=request.caller
            )
            if not isinstance(answer, Ambiguous | NotSent) or number == MAX_ATTEMPTS - 1:
                break
            asked = answer.retry_after_seconds if isinstance(answer, Ambiguous) else None
            pause = (
                FIRST_PAUSE_SECONDS * 2.0**number * (0.5 + self._chance()) if asked is None else asked + _MARGIN_SECONDS
            )
            if pause > LONGEST_PAUSE_SECONDS:
                break
            await self._sleep(pause)
        return answer


async def opener_check(
    claims: ClaimReader, authorization_id: str, handoff_id: str, caller: str
) -> NotTheOpener | OpenerUnknown | None:
    """Return why a service that has only its own handoffs gets no link and no message; None if it opened this one."""
    try:
        known = await claims.open_handoff(authorization_id, handoff_id, caller)
    except ClaimsUnknown:
        return OpenerUnknown()
    # The record of a new handoff may be some milliseconds late.
    if known is None:
        return OpenerUnknown()
    return None if known.opener == caller else NotTheOpener()


def _unavailable(handoff: ManualHandoff) -> NoAccess | None:
    match handoff.state:
        case HandoffState.OFFERED:
            return NoAccess.HANDOFF_NOT_ACTIVE_YET
        case HandoffState.CLOSING:
            return NoAccess.HANDOFF_CLOSING
        case HandoffState.CLOSED:
            return NoAccess.HANDOFF_CLOSED
    return None if handoff.access_available else NoAccess.ACCESS_NOT_AVAILABLE


def _seed(request: GrantRequest, handoff_id: str) -> str:
    """Return the seed of a mint's keys. It depends on the caller's key, so that a caller's retry is the same mint."""
    if request.retry_key is None:
        return secrets.token_hex(16)
    return request_id("grant", request.caller, request.authorization_id, handoff_id, request.retry_key)


def _key(seed: str, number: int) -> str:
    # The last mint does not use the caller's key, because under that key Collate only replays old grants.
    return write_key(secrets.token_hex(16) if number == MAX_MINTS - 1 else seed, Operation.MINT_GRANT, number)
