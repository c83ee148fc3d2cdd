"""What a live call comes to. A value, always; how it is told over HTTP is the ingress's business."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from adapters.collate.answers import Unanswered
from adapters.collate.operations import Operation
from schemas.collate.authorization import ReviewSnapshot
from schemas.collate.handoff import AccessGrant


class Unavailable(StrEnum):
    """Why a handoff can't be entered. A closed set, which a UI branches on."""

    NO_ACTIVE_HANDOFF = "no_active_handoff"
    HANDOFF_NOT_ACTIVE_YET = "handoff_not_active_yet"
    HANDOFF_CLOSING = "handoff_closing"
    HANDOFF_CLOSED = "handoff_closed"
    ACCESS_NOT_AVAILABLE = "access_not_available"
    GRANTS_TOO_SHORT = "grants_too_short"


@dataclass(frozen=True, slots=True)
class Granted:
    """A link was minted and its handing out is on record. The grant's id and url are secrets."""

    handoff_id: str
    grant: AccessGrant


@dataclass(frozen=True, slots=True)
class NotOpen:
    """Collate was asked and the handoff can't be entered; nothing was minted that is still usable."""

    reason: Unavailable
    handoff_id: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a reviewer must read, and what the next action was issued against."""

    authorization_id: str
    version: int
    snapshot: ReviewSnapshot
    covers_review_snapshot_id: str | None


@dataclass(frozen=True, slots=True)
class NoSnapshot:
    """The authorization is there, a review snapshot is not."""

    version: int


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A link was, or would have been, minted; but its handing out can't be recorded, so it goes to nobody."""

    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class UpstreamError:
    """Collate gave no 2xx to this operation."""

    operation: Operation
    answer: Unanswered


@dataclass(frozen=True, slots=True)
class Access:
    """The fact that goes on record before a link leaves: never the link or its id."""

    authorization_id: str
    handoff_id: str
    operator: str
    caller: str
    expires_at: datetime
    record_id: str
