"""What the worker derives from the reasons of `schemas/events/reasons.py`."""

from typing import Final

from schemas.events.reasons import OutcomeReason

# From the reasons of the error router (adapters/collate/errors.py) for a final refusal.
_REJECTIONS: Final = {
    "forbidden": OutcomeReason.FORBIDDEN,
    "review_stale": OutcomeReason.REVIEW_SNAPSHOT_STALE,
    "requirements_not_satisfied": OutcomeReason.REQUIREMENTS_OPEN,
}


def rejection(reason: str) -> OutcomeReason:
    """Return our reason for a final refusal of Collate."""
    return _REJECTIONS.get(reason, OutcomeReason.NOT_ALLOWED)
