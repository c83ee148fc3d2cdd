"""A manual handoff, its access grant and the response to its close (docs/collate-contract.md §5).

Unknown fields are dropped and unknown words are kept as text.
"""

import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

from schemas.collate.lenient_types import IsTrue, OpenTime, OpenWord, OrNone, Version
from schemas.fields.scalars import Id
from schemas.model import Phi, Public, Secret, Tolerant

# Browsers and libraries disagree about the host of a URL with a backslash, a control character or user info.
_LINK: Final = re.compile(r"https?://(?:[!-.0->A-\[\]-~])+(?:[/?#][!-\[\]-~]*)?")


class HandoffState(StrEnum):
    """The state of a handoff; the vocabulary is open."""

    OFFERED = "offered"
    ACTIVE = "active"
    CLOSING = "closing"
    CLOSED = "closed"


class HandoffResult(StrEnum):
    """The result of a closed handoff; the vocabulary is open."""

    COMPLETED_REPORTED = "completed_reported"
    UNABLE_TO_COMPLETE = "unable_to_complete"
    EXPIRED = "expired"
    REVOKED = "revoked"
    INTERACTION_LOST_UNRECOVERABLE = "interaction_lost_unrecoverable"
    CANCELED = "canceled"


class ManualHandoff(Tolerant):
    """A manual handoff. Its message is for the operator alone: it exists only in live answers."""

    id: Public[Id]
    version: Public[Version]
    state: Public[OpenWord]
    prior_authorization_id: Public[OrNone[Id]] = None
    result: Public[OpenWord | None] = None
    access_available: Public[IsTrue] = False
    final_submit_capable: Public[IsTrue] = False
    created_at: Public[OrNone[OpenTime]] = None
    activated_at: Public[OrNone[OpenTime]] = None
    closed_at: Public[OrNone[OpenTime]] = None
    message: Phi[OrNone[str]] = None


def _opens_one_address(url: SecretStr) -> SecretStr:
    """Return a link that every reader reads alike. Raise ValueError for another one, without its text."""
    if not _LINK.fullmatch(url.get_secret_value()):
        raise ValueError("expected an http(s) URL of visible ASCII, without a backslash and without user info")
    return url


class AccessGrant(Tolerant):
    """A bearer link into a live session. It stays in memory: no repr, dump or error shows the link."""

    id: Secret[SecretStr]
    url: Secret[Annotated[SecretStr, AfterValidator(_opens_one_address)]]
    expires_at: Public[OpenTime]


class ClosedAuthorization(Tolerant):
    """The authorization after a close. Its version is the next If-Match."""

    id: Public[Id]
    version: Public[Version]
    status: Public[OpenWord]


class Reconciliation(Tolerant):
    """Collate's reconciliation with the payer after a close."""

    state: Public[OrNone[OpenWord]] = None


class CloseAnswer(Tolerant):
    """The response to complete, unable-to-complete and revoke. It is not a handoff (docs/collate-contract.md §5.4)."""

    manual_handoff_id: Public[Id]
    state: Public[OpenWord]
    authorization: Public[ClosedAuthorization]
    result: Public[OpenWord | None] = None
    closed_at: Public[OrNone[OpenTime]] = None
    reconciliation: Public[OrNone[Reconciliation]] = None
