"""Where the workbench's statements come from, and as of when: Collate, read live, or the read model. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.console.views.freshness import Freshness, FreshnessState
from schemas.collate.handoff import HandoffState
from schemas.times import parse_time

Json = dict[str, Any]
UNNAMED: Final = "hasUnnamedHandoff"
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


@dataclass(frozen=True, slots=True)
class AsOf:
    """The time and the source of a statement. `late` is the freshness of a read model that is not up to date."""

    at: str
    is_live: bool
    late: Freshness | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The authorization as the page shows it, and as of when. `known_as_of` is about what only the read model knows."""

    authorization: Json
    as_of: AsOf
    known_as_of: AsOf | None


def chosen(record: Json | None, live: Json | None, freshness: Freshness) -> Chosen | None:
    """Return the newer of the read model's record and a live read, which may be 5 s old; None without both."""
    known_as_of = None if record is None else _read_model_as_of(record, freshness)
    if live is not None and (record is None or not _is_newer(record, live)):
        return Chosen(_as_read_live(live, record), AsOf(live["at"], is_live=True), known_as_of)
    if record is not None and known_as_of is not None:
        return Chosen(record, known_as_of, known_as_of)
    return None


def _read_model_as_of(record: Json, freshness: Freshness) -> AsOf:
    """Return the latest time at which the record was certainly true."""
    late = None if freshness.state is FreshnessState.FRESH else freshness
    if freshness.reported_at is not None and freshness.behind == 0:
        return AsOf(max(freshness.reported_at, record["updatedAt"], key=parse_time), is_live=False, late=late)
    return AsOf(record["updatedAt"], is_live=False, late=late)


def _is_newer(record: Json, live: Json) -> bool:
    """Return whether the read model is newer than a live read, which may be 5 s old."""
    if record["version"] != live["version"]:
        return bool(record["version"] > live["version"])
    return parse_time(record["updatedAt"]) > parse_time(live["at"])


def _as_read_live(live: Json, record: Json | None) -> Json:
    """Return the authorization as Collate shows it now, with what only the read model knows."""
    known = {name: value for name, value in (record or {}).items() if name not in _FROM_COLLATE}
    before: Json = known.pop("activeHandoff", None) or {}
    found = known | {name: live[name] for name in _FROM_COLLATE if name in live}
    found |= {"authorizationId": live["authorizationId"]}
    handoff: Json | None = live.get("handoff")
    if live["isHandoffOpen"] and handoff is None:
        return found | {UNNAMED: True}
    if handoff is None or not live["isHandoffOpen"] or handoff.get("state") == HandoffState.CLOSED:
        return found
    active = {name: handoff[name] for name in ("id", "accessAvailable", "finalSubmitCapable")}
    active |= {"state": handoff.get("state", "unknown")}
    if "activatedAt" in handoff:
        active["openedAt"] = handoff["activatedAt"]
    return found | {"activeHandoff": (before if before.get("id") == handoff["id"] else {}) | active}
