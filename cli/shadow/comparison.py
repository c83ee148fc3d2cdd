"""Compares the decisions of a shadow with what then happened at Collate: the table of decision 0026. Pure.

A shadow sends no write, so each handoff that opens or closes is an act of another actor.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from adapters.collate.operations import Operation
from cli.shadow.mirror import CALLER_KEY
from schemas.commands import CLOSE_ACTIONS, RESULT_OF
from schemas.enums import CommandType, Outcome
from schemas.events import (
    AuthorizationActionRequired,
    AuthorizationChanged,
    AuthorizationOverdue,
    AuthorizationSettled,
    CommandDeadLettered,
    CommandFinished,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
)
from schemas.events.reasons import OutcomeReason
from schemas.records import PublishedEvent


class Verdict(StrEnum):
    """How a decision compares with what followed, in the order of the report."""

    SAME = "same"
    DIFFERENT = "different"
    NOTHING = "nothing"
    ALREADY_DONE = "already_done"
    VERSION_MOVED = "version_moved"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One decision of the shadow. `decided` and `followed` are words for a reader."""

    authorization_id: str
    command_id: str
    command: str
    caller: str
    payer: str | None
    at: datetime
    decided: str
    followed: str
    verdict: Verdict


_HAS_PAYER: Final = (
    HandoffOpened,
    HandoffReconciled,
    AuthorizationActionRequired,
    AuthorizationOverdue,
    AuthorizationSettled,
)
_MOVES: Final = (
    AuthorizationChanged,
    AuthorizationActionRequired,
    AuthorizationSettled,
    HandoffReconciled,
    CommandFinished,
)
_COMPARED: Final = {CommandType.HANDOFF_REQUEST, CommandType.HANDOFF_CLOSE}
# A close whose handoff another actor had closed when the shadow read it.
_ENDED: Final = {OutcomeReason.HANDOFF_CLOSED, *(action.REJECTION for action in CLOSE_ACTIONS)}


def compare(events: Iterable[PublishedEvent], now: datetime, within: timedelta) -> list[Comparison]:
    """Compare each request and close. An event counts until `within` after the end of the command."""
    # By time first: the numbers begin again in a new life of an authorization.
    by_authorization: dict[str, dict[tuple[datetime, int], PublishedEvent]] = defaultdict(dict)
    for event in events:
        by_authorization[event.authorization_id][event.time, event.sequence] = event
    return [
        found
        for _, numbered in sorted(by_authorization.items())
        for found in _compare_one([numbered[number] for number in sorted(numbered)], now, within)
    ]


def _compare_one(events: Sequence[PublishedEvent], now: datetime, within: timedelta) -> Iterator[Comparison]:
    payers = [event.data.payer_id for event in events if isinstance(event.data, _HAS_PAYER) and event.data.payer_id]
    last: dict[str, int] = {}
    for place, event in enumerate(events):
        if isinstance(event.data, CommandFinished | CommandDeadLettered) and event.data.command in _COMPARED:
            last[event.data.command_id] = place
    for place in sorted(last.values()):
        end = events[place]
        if not isinstance(end.data, CommandFinished | CommandDeadLettered):
            raise TypeError("expected the end of a command")
        after = [event for event in events[place + 1 :] if event.time - end.time <= within]
        verdict, followed = _verdict(end.data, after, is_open=now - end.time < within)
        yield Comparison(
            authorization_id=end.authorization_id,
            command_id=end.data.command_id,
            command=end.data.command.value,
            caller=(end.data.metadata or {}).get(CALLER_KEY, end.data.caller),
            payer=payers[-1] if payers else None,
            at=end.time,
            decided=_decided(end.data),
            followed=followed,
            verdict=verdict,
        )


def _verdict(
    end: CommandFinished | CommandDeadLettered, after: Sequence[PublishedEvent], *, is_open: bool
) -> tuple[Verdict, str]:
    if isinstance(end, CommandDeadLettered):
        return Verdict.UNDECIDED, ""
    if end.outcome is Outcome.ALREADY_DONE or end.reason in _ENDED:
        return Verdict.ALREADY_DONE, ""
    if end.outcome is not Outcome.REJECTED:
        return Verdict.UNDECIDED, ""
    for event in after:
        if end.would_send is None and isinstance(event.data, CommandFinished):
            break  # what follows may belong to the next command
        if isinstance(event.data, HandoffOpened | HandoffClosed):
            verdict = Verdict.SAME if _has_effect_of(end, event.data) else Verdict.DIFFERENT
            return verdict, _act(event.data)
    if is_open:
        return Verdict.UNDECIDED, ""
    if end.would_send is None:
        return Verdict.SAME, ""
    versions = [event.data.version for event in after if isinstance(event.data, _MOVES) and event.data.version]
    if end.version is not None and max(versions, default=0) > end.version:
        return Verdict.VERSION_MOVED, f"version {end.version} became {max(versions)}"
    return Verdict.NOTHING, ""


def _has_effect_of(end: CommandFinished, act: HandoffOpened | HandoffClosed) -> bool:
    if end.would_send is None:
        return False
    if isinstance(act, HandoffOpened):
        return end.would_send.operation == Operation.CREATE_HANDOFF
    return act.handoff_id == end.handoff_id and act.result == RESULT_OF.get(end.would_send.operation)


def _decided(end: CommandFinished | CommandDeadLettered) -> str:
    if isinstance(end, CommandDeadLettered):
        return f"dead letter: {end.cause}"
    if end.would_send is not None:
        return f"{end.would_send.operation} at version {end.would_send.version}"
    return f"{end.outcome.value}: {end.reason}" if end.reason else end.outcome.value


def _act(act: HandoffOpened | HandoffClosed) -> str:
    if isinstance(act, HandoffOpened):
        return f"{act.handoff_id} opened"
    return f"{act.handoff_id} closed: {act.result}"


def counts(comparisons: Iterable[Comparison]) -> dict[tuple[str, str], dict[Verdict, int]]:
    """Count the verdicts by caller and payer, in alphabetical order."""
    found: dict[tuple[str, str], dict[Verdict, int]] = {}
    for comparison in comparisons:
        row = found.setdefault((comparison.caller, comparison.payer or "unknown"), dict.fromkeys(Verdict, 0))
        row[comparison.verdict] += 1
    return dict(sorted(found.items()))
