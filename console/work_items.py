"""An authorization of the work list: what a person must do, and who has its handoff. Pure.

The console and the command line show both.
"""

from dataclasses import dataclass
from enum import StrEnum

from collate_gateway_client import models
from schemas.collate.authorization import requires_handoff


class Need(StrEnum):
    """What a person must do."""

    REVIEW = "review"
    OPEN = "open"
    FINISH = "finish"
    CONTRADICTION = "contradiction"
    OTHER_ACTION = "other_action"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works on an open handoff, as far as the gateway knows. `since` is the time of the claim; None without one."""

    name: str
    since: str | None


def need_of(item: models.WorkItem) -> Need:
    """Return what a person must do."""
    if "handoff" in item:
        return Need.FINISH
    last = item.get("lastHandoff")
    if item.get("actionRequiredAt") is None and last is not None and last.get("agreement") == "contradicts":
        return Need.CONTRADICTION
    if not requires_handoff(item.get("nextAction"), item.get("resolution")):
        return Need.OTHER_ACTION
    return Need.REVIEW if "coversReviewSnapshotId" in item else Need.OPEN


def holder_of(handoff: models.HandoffStatus) -> Holder | None:
    """Return who has a handoff: the claim, else who received the last link, else who requested it."""
    if claim := handoff.get("claim"):
        return Holder(claim["by"], claim["since"])
    grant, request = handoff.get("lastGrant"), handoff.get("request")
    name = (grant and grant["operator"]) or (request and request.get("requestedBy"))
    return Holder(name, None) if name else None
