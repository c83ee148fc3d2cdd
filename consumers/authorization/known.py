"""What the state knows of an authorization: made from a read, and merged with the next read. Pure.

    a higher version       the new read replaces the old one
    the same version       the reading with the higher precedence stays; a receipt, decision or payer is added
    a lower version        the caller ignores it

Two reads of one version differ if one of them was wrong, or a replica lags. Precedence: a known word before an unknown
one, then the status from the least to the most that a person must know of:

    unknown < processing < waiting_on_payer < requires_action < completed, canceled

So one wrong read cannot hide the true one, and a version changes what is known only a few times.
"""

from typing import Final

from consumers.authorization.state import Known
from schemas.collate.authorization import ActionType, PriorAuthorization, Status

_STATUS_RANK: Final = {
    Status.PROCESSING: 1,
    Status.WAITING_ON_PAYER: 2,
    Status.REQUIRES_ACTION: 3,
    Status.COMPLETED: 4,
    Status.CANCELED: 4,
}
_ACTIONS: Final = frozenset(ActionType)
_FIELDS: Final = tuple(Known.model_fields)


def known_from(authorization: PriorAuthorization) -> Known:
    """Return what a read shows."""
    action = authorization.next_action
    return Known.model_construct(
        version=authorization.version,
        status=authorization.status,
        outcome=authorization.outcome,
        action=action.type if action else None,
        resolution=authorization.resolution,
        covers=authorization.covers_review_snapshot_id,
        receipt=authorization.receipt_seen,
        decision=authorization.decision_seen,
        payer=authorization.payer_id,
    )


def merged(before: Known, read: Known) -> Known:
    """Return what is known after a read of the same or a higher version; `before` itself if nothing is new."""
    is_newer = read.version > before.version or not before.whole
    is_newer = is_newer or (read.version == before.version and _precedence(read) > _precedence(before))
    after = before.replace(**{name: getattr(read, name) for name in _FIELDS}) if is_newer else before
    after = after.replace(
        receipt=before.receipt or read.receipt,
        decision=before.decision or read.decision,
        payer=(read.payer or before.payer) if is_newer else (before.payer or read.payer),
    )
    return before if after == before else after


def _precedence(known: Known) -> tuple[int, ...]:
    action = 0 if known.action is None else 1 + (known.action in _ACTIONS)
    named = (known.resolution, known.covers, known.outcome)
    return (_STATUS_RANK.get(known.status, 0), action, *(word is not None for word in named))  # type: ignore[call-overload]  # a StrEnum key equals its text
