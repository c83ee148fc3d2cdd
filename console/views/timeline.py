"""The history of an authorization, newest first, with the calls to Collate folded under their command. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from console.api import models
from console.times import day
from console.views.words import Tone

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


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """One entry, and the calls to Collate of its command, newest first. Its kind is `attempt` for calls alone."""

    entry: models.TimelineEntry
    calls: list[models.TimelineEntry]
    begins_day: bool = False

    @property
    def tone(self) -> Tone:
        """The urgency of the entry."""
        return _tone(self.entry)

    @property
    def key(self) -> str:
        """The entry's key on the page, by which an update finds it."""
        sequence, entry = self.entry.get("sequence"), self.entry
        return f"{entry['kind']}-{entry.get('commandId') if sequence is None else sequence}-{entry['at']}"


def timeline_of(answer: models.Timeline) -> tuple[TimelineLine, ...]:
    """Return the lines of `GET /v1/authorizations/{id}/timeline?order=newest`.

    A call belongs to the newest entry of its command on the page. Calls without another entry of their command get a
    row of their own, in the place of the newest of them.
    """
    lines: list[TimelineLine] = []
    by_command: dict[str, TimelineLine] = {}
    last_day = ""
    for entry in answer["entries"]:
        command_id, is_call = entry.get("commandId"), entry["kind"] == "attempt"
        if is_call and command_id in by_command:
            by_command[command_id].calls.append(entry)
            continue
        line = TimelineLine(entry, [entry] if is_call else [], begins_day=day(entry["at"]) != last_day)
        last_day = day(entry["at"])
        lines.append(line)
        if command_id:
            by_command.setdefault(command_id, line)
    return tuple(lines)


def _tone(entry: models.TimelineEntry) -> Tone:
    data = entry["data"]
    if tone := _AGREEMENTS.get(str(data.get("agreement"))):
        return tone
    if entry["kind"] == "command.finished":
        return _OUTCOMES.get(str(data.get("outcome")), Tone.PLAIN)
    return _TONES.get(entry["kind"], Tone.PLAIN)
