"""Outcomes of live calls, as values. `routes` and `problems` convert them to HTTP responses."""

from dataclasses import dataclass, field
from enum import StrEnum

from adapters.collate.answers import CallFailure
from adapters.collate.operations import Operation
from schemas.authorization import HandoffClaim
from schemas.collate.handoff import AccessGrant
from schemas.enums import ClaimCheck


class NoAccess(StrEnum):
    """Why a handoff is not open for access. A closed set; user interfaces branch on it."""

    NO_ACTIVE_HANDOFF = "no_active_handoff"
    HANDOFF_NOT_ACTIVE_YET = "handoff_not_active_yet"
    HANDOFF_CLOSING = "handoff_closing"
    HANDOFF_CLOSED = "handoff_closed"
    ACCESS_NOT_AVAILABLE = "access_not_available"
    GRANTS_TOO_SHORT = "grants_too_short"


@dataclass(frozen=True, slots=True)
class Granted:
    """A link was minted and the access is recorded. The grant's id and url are secrets; Collate's message is PHI.

    `claim_check` is None for services, which claim nothing.
    """

    handoff_id: str
    grant: AccessGrant
    message: str | None = field(default=None, repr=False)
    claim_check: ClaimCheck | None = None


@dataclass(frozen=True, slots=True)
class ClaimedByAnother:
    """Another person has the handoff in hand; no link was minted."""

    handoff_id: str
    claim: HandoffClaim


@dataclass(frozen=True, slots=True)
class ClaimCheckFailed:
    """Another person's claim cannot be looked for, and the request requires it; no link was minted."""


@dataclass(frozen=True, slots=True)
class NotTheOpener:
    """The caller may get links and messages only of the handoffs that it opened; nothing was done."""


@dataclass(frozen=True, slots=True)
class OpenerUnknown:
    """The caller that opened the handoff cannot be looked for, or the handoff has closed; nothing was done."""


FailedCheck = ClaimedByAnother | ClaimCheckFailed | NotTheOpener | OpenerUnknown


@dataclass(frozen=True, slots=True)
class NotOpen:
    """The handoff is not open for access; no usable link exists. Collate's message is PHI."""

    reason: NoAccess
    handoff_id: str | None = None
    result: str | None = None
    message: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """The access was not recorded, so no link is returned."""

    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class UpstreamError:
    """Collate gave no 2xx to the operation."""

    operation: Operation
    answer: CallFailure
