"""Where the workbench's statements come from, and as of when: Collate, read live, or the read model. Pure."""

from dataclasses import dataclass
from typing import Final, NotRequired, TypedDict, cast

from console.api import models
from console.views.freshness import Freshness, FreshnessState
from schemas.collate.handoff import HandoffState
from schemas.times import parse_time

_FROM_COLLATE: Final = (
    "version",
    "status",
    "outcome",
    "nextAction",
    "resolution",
    "coversReviewSnapshotId",
    "payerId",
    "receiptSeen",
    "decisionSeen",
)


class ShownAuthorization(TypedDict):
    """What the workbench shows of an authorization: fields of the read model's record that Collate shows too, or most.

    `models.AuthorizationStatus` is such an authorization.
    """

    authorizationId: str
    version: int
    status: str
    outcome: NotRequired[str]
    nextAction: NotRequired[str]
    resolution: NotRequired[str]
    coversReviewSnapshotId: NotRequired[str]
    payerId: NotRequired[str]
    receiptSeen: bool
    decisionSeen: bool
    actionRequiredAt: NotRequired[str]
    settledAt: NotRequired[str]
    activeHandoff: NotRequired[models.ActiveHandoff]
    lastHandoff: NotRequired[models.LastHandoff]
    metadata: NotRequired[dict[str, str]]


@dataclass(frozen=True, slots=True)
class AsOf:
    """The time and the source of a statement. `late` is the freshness of a read model that is not up to date."""

    at: str
    is_live: bool
    late: Freshness | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The authorization as the page shows it, and as of when. `known_as_of` is about what only the read model knows.

    `is_unnamed`: a handoff is open at Collate, and its id cannot be read.
    """

    authorization: ShownAuthorization
    as_of: AsOf
    known_as_of: AsOf | None
    is_unnamed: bool = False


def chosen(
    record: models.AuthorizationStatus | None, live: models.LiveHandoff | None, freshness: Freshness
) -> Chosen | None:
    """Return the newer of the read model's record and a live read, which may be 5 s old; None without both."""
    known_as_of = None if record is None else _read_model_as_of(record, freshness)
    if live is not None and (record is None or not _is_newer(record, live)):
        is_unnamed = live["isHandoffOpen"] and "handoff" not in live
        return Chosen(_as_read_live(live, record), AsOf(live["at"], is_live=True), known_as_of, is_unnamed)
    if record is not None and known_as_of is not None:
        return Chosen(record, known_as_of, known_as_of)
    return None


def _read_model_as_of(record: models.AuthorizationStatus, freshness: Freshness) -> AsOf:
    """Return the latest time at which the record was certainly true."""
    late = None if freshness.state is FreshnessState.FRESH else freshness
    if freshness.reported_at is not None and freshness.behind == 0:
        return AsOf(max(freshness.reported_at, record["updatedAt"], key=parse_time), is_live=False, late=late)
    return AsOf(record["updatedAt"], is_live=False, late=late)


def _is_newer(record: models.AuthorizationStatus, live: models.LiveHandoff) -> bool:
    """Return whether the read model is newer than a live read, which may be 5 s old."""
    if record["version"] != live["version"]:
        return record["version"] > live["version"]
    return parse_time(record["updatedAt"]) > parse_time(live["at"])


def _as_read_live(live: models.LiveHandoff, record: models.AuthorizationStatus | None) -> ShownAuthorization:
    """Return the authorization as Collate shows it now, with what only the read model knows."""
    known = {} if record is None else {name: value for name, value in record.items() if name not in _FROM_COLLATE}
    seen = {name: value for name, value in live.items() if name in _FROM_COLLATE}
    found = cast("ShownAuthorization", known | seen | {"authorizationId": live["authorizationId"]})
    before, handoff = found.pop("activeHandoff", None), live.get("handoff")
    if handoff is None or not live["isHandoffOpen"] or handoff.get("state") == HandoffState.CLOSED:
        return found
    active: models.ActiveHandoff = {
        "id": handoff["id"],
        "state": handoff.get("state", "unknown"),
        "accessAvailable": handoff["accessAvailable"],
        "finalSubmitCapable": handoff["finalSubmitCapable"],
    }
    if "activatedAt" in handoff:
        active["openedAt"] = handoff["activatedAt"]
    found["activeHandoff"] = {**before, **active} if before is not None and before["id"] == active["id"] else active
    return found
