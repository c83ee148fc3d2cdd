"""Effects: the changes that the ledger counts, each with its cause."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from local.collate.model.authorization import Authorization


class Kind(StrEnum):
    """The kind of a change."""

    AUTHORIZATION_CREATED = "authorization_created"
    AUTHORIZATION_CONFIRMED = "authorization_confirmed"
    AUTHORIZATION_CANCELED = "authorization_canceled"
    AUTHORIZATION_EDITED = "authorization_edited"
    HANDOFF_OPENED = "handoff_opened"
    HANDOFF_ACTIVATED = "handoff_activated"
    HANDOFF_CLOSING = "handoff_closing"
    HANDOFF_CLOSED = "handoff_closed"
    GRANT_MINTED = "grant_minted"
    GRANT_OPENED = "grant_opened"
    PORTAL_WORKED = "portal_worked"
    CONCLUDED = "concluded"
    DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of an effect: `client`, `other` (another actor), `human` (in the portal) or `collate`."""

    by: str
    key: str | None = None
    request: int | None = None


COLLATE = Cause("collate")


@dataclass(frozen=True, slots=True)
class Effect:
    """A change, with the authorization's version after it."""

    kind: Kind
    at: float
    authorization_id: str
    version: int
    cause: Cause
    handoff_id: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """An authorization after a transition, and the effects of the transition."""

    authorization: Authorization
    effects: tuple[Effect, ...]
