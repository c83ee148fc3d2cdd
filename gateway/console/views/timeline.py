"""The history of an authorization, newest first, with the calls to Collate folded under their command. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.console.times import day, split_times
from gateway.console.views.overview import Tone

Json = Mapping[str, Any]
ROWS = 50

_TONES: Mapping[str, Tone] = {
    "command.dead_lettered": Tone.BAD,
    "command.waiting": Tone.WARN,
    "command.key_conflict": Tone.WARN,
    "handoff.at_risk": Tone.WARN,
    "authorization.action_required": Tone.WARN,
    "authorization.watch_ended": Tone.WARN,
}
_AGREEMENTS: Mapping[str, Tone] = {"agrees": Tone.GOOD, "contradicts": Tone.BAD}
_OUTCOMES: Mapping[str, Tone] = {"applied": Tone.GOOD, "rejected": Tone.WARN, "expired": Tone.WARN}
_CALL_RESULTS: Mapping[str, Tone] = {"ambiguous": Tone.WARN, "refused": Tone.WARN, "not_sent": Tone.WARN}


@dataclass(frozen=True, slots=True)
class CallEntry:
    """One call to Collate. `says` alternates text and times."""

    at: str
    says: tuple[str, ...]
    tone: Tone


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """One entry. `calls` are the calls to Collate of its command, newest first; `kind` is `attempt` for calls alone."""

    at: str
    kind: str
    says: tuple[str, ...]
    tone: Tone
    sequence: int | None
    command_id: str | None
    calls: tuple[CallEntry, ...]
    begins_day: bool

    @property
    def key(self) -> str:
        """The entry's key on the page, by which an update finds it."""
        return f"e{self.sequence}" if self.sequence is not None else f"{self.kind}-{self.command_id}-{self.at}"


@dataclass(frozen=True, slots=True)
class TimelineView:
    """One page of a timeline. `next` is the cursor of older entries."""

    authorization_id: str
    rows: tuple[TimelineLine, ...]
    next: str | None
    is_first_page: bool


@dataclass(slots=True)
class _Draft:
    entry: Json
    calls: list[CallEntry] = field(default_factory=list)


def timeline_of(answer: Json, *, is_first_page: bool = True) -> TimelineView:
    """Return the view of `GET /v1/authorizations/{id}/timeline?order=newest`.

    A call belongs to the newest entry of its command on the page. Calls without another entry of their command get a
    row of their own, in the place of the newest of them.
    """
    drafts: list[_Draft] = []
    by_command: dict[str, _Draft] = {}
    for entry in answer["entries"]:
        command_id = entry.get("commandId")
        draft = by_command.get(command_id) if command_id else None
        if entry["kind"] == "attempt" and draft is not None:
            draft.calls.append(_call(entry))
            continue
        draft = _Draft(entry, [_call(entry)] if entry["kind"] == "attempt" else [])
        drafts.append(draft)
        if command_id:
            by_command.setdefault(command_id, draft)
    return TimelineView(
        authorization_id=answer["authorizationId"],
        rows=_rows(drafts),
        next=answer.get("next"),
        is_first_page=is_first_page,
    )


def _rows(drafts: Sequence[_Draft]) -> tuple[TimelineLine, ...]:
    rows: list[TimelineLine] = []
    last_day = ""
    for draft in drafts:
        entry, this_day = draft.entry, day(draft.entry["at"])
        rows.append(
            TimelineLine(
                at=entry["at"],
                kind=entry["kind"],
                says=split_times(entry["says"]),
                tone=_tone(entry),
                sequence=entry.get("sequence"),
                command_id=entry.get("commandId"),
                calls=tuple(draft.calls),
                begins_day=this_day != last_day,
            )
        )
        last_day = this_day
    return tuple(rows)


def _call(entry: Json) -> CallEntry:
    result = str((entry.get("data") or {}).get("result"))
    return CallEntry(entry["at"], split_times(entry["says"]), _CALL_RESULTS.get(result, Tone.PLAIN))


def _tone(entry: Json) -> Tone:
    data: Json = entry.get("data") or {}
    if tone := _AGREEMENTS.get(str(data.get("agreement"))):
        return tone
    if entry["kind"] == "command.finished":
        return _OUTCOMES.get(str(data.get("outcome")), Tone.PLAIN)
    return _TONES.get(entry["kind"], Tone.PLAIN)
