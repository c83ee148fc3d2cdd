"""One authorization: its situation, its facts, and the actions that are possible now. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from console.api import models
from console.times import is_after
from console.views.timeline import TimelineLine
from console.views.words import Tone


class AuthorizationSituation(StrEnum):
    """The one thing that matters about an authorization now."""

    NEEDS_PERSON = "needs_person"
    HANDOFF_OPEN = "handoff_open"
    CLOSING = "closing"
    CONTRADICTED = "contradicted"
    SETTLED = "settled"
    WATCH_ENDED = "watch_ended"
    WATCHED = "watched"
    NOT_WATCHED = "not_watched"


_WORK = {AuthorizationSituation.NEEDS_PERSON, AuthorizationSituation.HANDOFF_OPEN, AuthorizationSituation.CLOSING}


@dataclass(frozen=True, slots=True)
class AuthorizationView:
    """The page of an authorization. `record` is None if the gateway does not watch it.

    `is_mine`: the signed-in person has claimed the open handoff, and can give it back. `timeline` is None if it could
    not be read. The template checks `person.may` for the permission of an action.
    """

    authorization_id: str
    situation: AuthorizationSituation
    tone: Tone
    since: str | None
    record: models.AuthorizationStatus | None
    is_mine: bool
    can_watch: bool
    timeline: tuple[TimelineLine, ...] | None

    @property
    def can_work(self) -> bool:
        """Whether a person can work on its handoff."""
        return self.situation in _WORK


def authorization_of(
    authorization_id: str,
    record: models.AuthorizationStatus | None,
    timeline: tuple[TimelineLine, ...] | None,
    me: str,
    now: datetime,
) -> AuthorizationView:
    """Return the view of `GET /v1/authorizations/{id}`; `record` is None if the gateway does not know it."""
    if record is None:
        is_mine, can_watch = False, True
        situation, tone, since = AuthorizationSituation.NOT_WATCHED, Tone.PLAIN, None
    else:
        is_mine = claimant_of(record) == me
        can_watch = (
            not record.get("settledAt")
            and (ended := record.get("watchEndedAt")) is not None
            and not is_after(ended, now)
        )
        situation, tone, since = _situation(record, is_mine=is_mine)
    return AuthorizationView(authorization_id, situation, tone, since, record, is_mine, can_watch, timeline)


def claimant_of(record: models.AuthorizationStatus) -> str | None:
    """Return the person who has claimed the open handoff."""
    active = record.get("activeHandoff")
    claim = None if active is None else active.get("claim")
    return None if claim is None else claim["by"]


def _situation(record: models.AuthorizationStatus, *, is_mine: bool) -> tuple[AuthorizationSituation, Tone, str | None]:
    """Return the situation, its urgency, and since when it lasts. The first row that applies counts."""
    active, last = record.get("activeHandoff"), record.get("lastHandoff")
    if active is not None:
        is_closing = active["state"] == "closing"
        state = AuthorizationSituation.CLOSING if is_closing else AuthorizationSituation.HANDOFF_OPEN
        return state, Tone.PLAIN if is_mine else Tone.WARN, active.get("openedAt")
    if since := record.get("actionRequiredAt"):
        return AuthorizationSituation.NEEDS_PERSON, Tone.WARN, since
    if last is not None and last.get("agreement") == "contradicts":
        return AuthorizationSituation.CONTRADICTED, Tone.BAD, last.get("closedAt")
    if settled := record.get("settledAt"):
        return AuthorizationSituation.SETTLED, Tone.GOOD, settled
    if ended := record.get("watchEndedAt"):
        return AuthorizationSituation.WATCH_ENDED, Tone.WARN, ended
    return AuthorizationSituation.WATCHED, Tone.PLAIN, record["watchedSince"]
