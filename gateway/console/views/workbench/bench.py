"""The workbench of one authorization: its step, who has it in hand, the link's end, and the payer's truth. Pure.

Its state comes from the read model or from a live read. Times stay RFC 3339 text, and the page shows their age.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.console.views.ended_handoff import EndedHandoff, ended_handoff
from gateway.console.views.workbench.sources import AsOf, Chosen
from gateway.console.views.workbench.step import WorkStep, place_of, step_of
from schemas.enums import PREFIX
from schemas.times import parse_time

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HandoffInHand:
    """The open handoff. `holder` has it in hand; `is_mine`: the holder is the reader of the page."""

    id: str
    state: str
    is_accessible: bool
    can_submit: bool
    opened_at: str | None
    requested_by: str | None
    accepted_by: str | None
    holder: str | None
    holder_since: str | None
    is_mine: bool
    link_by: str | None
    link_until: str | None
    link_is_over: bool
    risk: str | None
    risk_advice: str | None
    risk_ends_at: str | None

    @property
    def is_of_another(self) -> bool:
        """Whether another person has it in hand."""
        return self.holder is not None and not self.is_mine


@dataclass(frozen=True, slots=True)
class OpenCommand:
    """A command of this authorization that has not ended."""

    id: str
    kind: str
    status: str
    accepted_at: str | None
    reason: str | None
    advice: str | None
    until: str | None


@dataclass(frozen=True, slots=True)
class Workbench:
    """What the workbench shows. `as_of` is about Collate's state.

    `known_as_of` is about what Collate does not say: who has the handoff in hand, commands, links. None: unknown.
    """

    authorization_id: str
    payer_id: str | None
    status: str
    outcome: str | None
    next_action: str | None
    waiting_since: str | None
    version: int
    as_of: AsOf
    known_as_of: AsOf | None
    receipt_seen: bool
    decision_seen: bool
    covered_snapshot: str | None
    step: WorkStep
    place: int
    handoff: HandoffInHand | None
    last: EndedHandoff | None
    commands: tuple[OpenCommand, ...]

    @property
    def dead_letters(self) -> tuple[OpenCommand, ...]:
        """The commands that wait for an operator."""
        return tuple(command for command in self.commands if command.status == "dead_lettered")

    @property
    def running(self) -> tuple[OpenCommand, ...]:
        """The commands that the worker still handles."""
        return tuple(command for command in self.commands if command.status != "dead_lettered")

    @property
    def mark(self) -> str:
        """The page's step, snapshot and handoff. If it changes, the browser must load another page."""
        handoff = "" if self.handoff is None else self.handoff.id
        return f"{self.step}.{self.covered_snapshot or ''}.{handoff}"


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of the person's last command. `status` is `unknown` until the read model contains it."""

    id: str
    kind: str | None
    status: str
    outcome: str | None = None
    reason: str | None = None
    advice: str | None = None
    until: str | None = None
    effect: str | None = None


def workbench(found: Chosen, commands: list[Json], timeline: list[Json], *, person: str, now: datetime) -> Workbench:
    """Return the workbench.

    Args:
        found: the authorization, as `GET /v1/authorizations/{id}` or a live read shows it.
        commands: the newest commands, as `GET /v1/commands?authorizationId=` lists them.
        timeline: the newest entries of the timeline, the newest first.
        person: the name of the person who looks at the page.
        now: the time.
    """
    authorization = found.authorization
    step = step_of(authorization, commands)
    active: Json | None = authorization.get("activeHandoff")
    unfinished = [command for command in commands if command["status"] != "finished"]
    return Workbench(
        authorization_id=authorization["authorizationId"],
        payer_id=authorization.get("payerId"),
        status=authorization["status"],
        outcome=authorization.get("outcome"),
        next_action=authorization.get("nextAction"),
        waiting_since=authorization.get("actionRequiredAt"),
        version=authorization["version"],
        as_of=found.as_of,
        known_as_of=found.known_as_of,
        receipt_seen=authorization["receiptSeen"],
        decision_seen=authorization["decisionSeen"],
        covered_snapshot=authorization.get("coversReviewSnapshotId"),
        step=step,
        place=place_of(step),
        handoff=None if active is None else _in_hand(active, timeline, person, now),
        last=ended_handoff(authorization.get("lastHandoff")),
        commands=tuple(_open_command(command) for command in unfinished),
    )


def command_result(command_id: str, status: Json | None) -> CommandResult:
    """Return the result of a command; `status` is None until the read model contains it."""
    if status is None:
        return CommandResult(command_id, None, "unknown")
    waiting: Json = status.get("waiting") or {}
    return CommandResult(
        id=command_id,
        kind=_kind(status.get("type")),
        status=status["status"],
        outcome=status.get("outcome"),
        reason=status.get("reason") or waiting.get("reason"),
        advice=status.get("advice") or waiting.get("advice"),
        until=waiting.get("until"),
        effect=status.get("effect"),
    )


def _in_hand(active: Json, timeline: list[Json], person: str, now: datetime) -> HandoffInHand:
    events = [entry for entry in timeline if entry["data"].get("handoffId") == active["id"]]
    opened, link, risk = (_newest(events, f"handoff.{name}") for name in ("opened", "access_granted", "at_risk"))
    if risk is not None and link is not None and events.index(link) < events.index(risk):
        risk = None  # a newer link has ended this risk
    claim: Json = active.get("claim") or {}
    link_data, risk_data = _data(link), _data(risk)
    link_until = link_data.get("expiresAt")
    return HandoffInHand(
        id=active["id"],
        state=active["state"],
        is_accessible=active["accessAvailable"],
        can_submit=active["finalSubmitCapable"],
        opened_at=active.get("openedAt"),
        requested_by=active.get("requestedBy"),
        accepted_by=_data(opened).get("acceptedBy"),
        holder=claim.get("by"),
        holder_since=claim.get("since"),
        is_mine=claim.get("by") == person,
        link_by=link_data.get("operator"),
        link_until=link_until,
        link_is_over=link_until is not None and parse_time(link_until) <= now,
        risk=risk_data.get("reason"),
        risk_advice=risk_data.get("advice"),
        risk_ends_at=risk_data.get("endsAt"),
    )


def _newest(entries: list[Json], kind: str) -> Json | None:
    return next((entry for entry in entries if entry["kind"] == kind), None)


def _data(entry: Json | None) -> Json:
    return {} if entry is None else entry["data"]


def _open_command(command: Json) -> OpenCommand:
    waiting: Json = command.get("waiting") or {}
    return OpenCommand(
        id=command["commandId"],
        kind=_kind(command.get("type")) or "command",
        status=command["status"],
        accepted_at=command.get("acceptedAt"),
        reason=waiting.get("reason"),
        advice=waiting.get("advice"),
        until=waiting.get("until"),
    )


def _kind(command_type: str | None) -> str | None:
    return None if command_type is None else command_type.removeprefix(PREFIX).removesuffix(".v1")
