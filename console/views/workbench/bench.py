"""The workbench of one authorization: its step, who has it in hand, the link's end, and the payer's truth. Pure.

Its state comes from the read model or from a live read. Times stay RFC 3339 text, and the page shows their age.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from console.api import models
from console.times import seconds_between
from console.views.workbench.sources import AsOf, Chosen, ShownAuthorization
from console.views.workbench.step import PLACE, WorkStep, is_unfinished, step_of
from schemas.enums import CommandType
from schemas.times import parse_time

SLOW_SECONDS: Final = 10.0
"""An opening takes a second or two. After this time the page says why it waits."""


@dataclass(frozen=True, slots=True)
class HandoffInHand:
    """The open handoff and its newest events. `is_mine`: the reader of the page has it in hand.

    `link_is_over`: the link has expired.
    """

    active: models.ActiveHandoff
    is_mine: bool
    opened: models.HandoffOpened | None
    link: models.HandoffAccessGranted | None
    link_is_over: bool
    risk: models.HandoffAtRisk | None

    @property
    def is_worked_on(self) -> bool:
        """Whether the reader has it in hand, and may be in the payer's session: a link was issued."""
        return self.is_mine and self.link is not None

    @property
    def is_of_another(self) -> bool:
        """Whether another person has it in hand."""
        return "claim" in self.active and not self.is_mine


@dataclass(frozen=True, slots=True)
class Workbench:
    """What the workbench shows. `as_of` is about Collate's state. `commands` are those that have not ended.

    `known_as_of` is about what Collate does not say: who has the handoff in hand, commands, links. None: unknown.
    `slow` is the request whose handoff should be open by now. `is_reviewed`: a person has accepted the snapshot.
    """

    authorization: ShownAuthorization
    as_of: AsOf
    known_as_of: AsOf | None
    step: WorkStep
    handoff: HandoffInHand | None
    commands: tuple[models.CommandStatus, ...]
    slow: models.CommandStatus | None = None
    is_reviewed: bool = False

    @property
    def place(self) -> int:
        """The number of the step in the row of steps; 0 before and after a handoff."""
        return PLACE.get(self.step, 0)

    @property
    def done(self) -> frozenset[int]:
        """The numbers of the steps that are done: no review without a snapshot, no report if Collate ended it."""
        last = self.authorization.get("lastHandoff")
        is_reported = self.step is WorkStep.CLOSING or (last is not None and last.get("by") == "us")
        is_done = {1: self.is_reviewed, 4: is_reported}
        return frozenset(step for step in range(1, self.place) if is_done.get(step, True))

    @property
    def dead_letters(self) -> tuple[models.CommandStatus, ...]:
        """The commands that wait for an operator."""
        return tuple(command for command in self.commands if command["status"] == "dead_lettered")

    @property
    def running(self) -> tuple[models.CommandStatus, ...]:
        """The commands that the worker still handles."""
        return tuple(command for command in self.commands if command["status"] != "dead_lettered")

    @property
    def mark(self) -> str:
        """The page's step, snapshot and handoff. If it changes, the browser must load another page."""
        handoff = "" if self.handoff is None else self.handoff.active["id"]
        return f"{self.step}.{self.authorization.get('coversReviewSnapshotId', '')}.{handoff}"


def workbench(
    found: Chosen,
    commands: Sequence[models.CommandStatus],
    timeline: Sequence[models.TimelineEntry],
    *,
    person: str,
    now: datetime,
) -> Workbench:
    """Return the workbench.

    Args:
        found: the authorization, as `GET /v1/authorizations/{id}` or a live read shows it.
        commands: the newest commands, as `GET /v1/commands?authorizationId=` lists them.
        timeline: the newest entries of the timeline, the newest first.
        person: the name of the person who looks at the page.
        now: the time.
    """
    active, step = found.authorization.get("activeHandoff"), step_of(found, commands)
    of_handoff = active or found.authorization.get("lastHandoff")
    return Workbench(
        authorization=found.authorization,
        as_of=found.as_of,
        known_as_of=found.known_as_of,
        step=step,
        handoff=None if active is None else _in_hand(active, timeline, person, now),
        commands=tuple(command for command in commands if command["status"] != "finished"),
        slow=_slow_request(commands, now) if step is WorkStep.OPENING else None,
        is_reviewed=found.authorization.get("coversReviewSnapshotId") is not None
        if step is WorkStep.OPENING
        else any("acceptedBy" in entry["data"] for entry in _entries_of(of_handoff, timeline)),
    )


def _entries_of(
    handoff: models.ActiveHandoff | models.LastHandoff | None, timeline: Sequence[models.TimelineEntry]
) -> list[models.TimelineEntry]:
    return [entry for entry in timeline if handoff and entry["data"].get("handoffId") == handoff["id"]]


def _slow_request(commands: Sequence[models.CommandStatus], now: datetime) -> models.CommandStatus | None:
    """Return the oldest request that has not ended within SLOW_SECONDS. `commands` begin with the newest."""
    requests = [sent for sent in commands if "acceptedAt" in sent and is_unfinished(sent, CommandType.HANDOFF_REQUEST)]
    oldest = requests[-1] if requests else None
    return oldest if oldest and seconds_between(oldest["acceptedAt"], now) > SLOW_SECONDS else None


def _in_hand(
    active: models.ActiveHandoff, timeline: Sequence[models.TimelineEntry], person: str, now: datetime
) -> HandoffInHand:
    events = _entries_of(active, timeline)
    kinds = [entry["kind"] for entry in events]
    opened, granted, at_risk = (
        kinds.index(kind) if kind in kinds else None
        for kind in ("handoff.opened", "handoff.access_granted", "handoff.at_risk")
    )
    link = None if granted is None else cast("models.HandoffAccessGranted", events[granted]["data"])
    claim = active.get("claim")
    # A newer link has ended a risk.
    is_at_risk = at_risk is not None and (granted is None or at_risk < granted)
    return HandoffInHand(
        active=active,
        is_mine=claim is not None and claim["by"] == person,
        opened=None if opened is None else cast("models.HandoffOpened", events[opened]["data"]),
        link=link,
        link_is_over=link is not None and parse_time(link["expiresAt"]) <= now,
        risk=cast("models.HandoffAtRisk", events[at_risk]["data"]) if at_risk is not None and is_at_risk else None,
    )
