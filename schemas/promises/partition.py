"""What the topics of one partition show, and the promises that it breaks. Pure; the caller reads in the right order.

Owns one `SeenAuthorization` for each authorization with events in the span. docs/decisions/0030-promises-check.md.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.enums import CommandType, full_type
from schemas.promises.authorization import ACTS, OWN, SeenAuthorization
from schemas.promises.confidential import has_secret
from schemas.promises.ends import MAY_LEAVE_NOTHING, OWN_EVENT_OF
from schemas.promises.seen import SeenCommand, SeenEvent
from schemas.promises.violations import PartitionFindings, PromiseRule

MOST_UNEXPLAINED: Final = 10_000
_COMPARED: Final = 1 << 62

Part = tuple[int, int, int]


class NewestTransaction(NamedTuple):
    """The highest number of a transaction that a topic shows, and where; `begin`: the first offset that was read."""

    number: int
    authorization_id: str
    offset: int
    begin: int


class SeenRecord(NamedTuple):
    """The newest record on `authorizations`; `sequence` is None for a tombstone."""

    sequence: int | None
    offset: int


@dataclass(slots=True)
class SeenPartition:
    """One partition.

    Attributes:
        is_whole: the span has all of `commands` and `events`, so the order of ends can be compared.
        findings: the violations so far.
        unexplained: the finished commands without an end in the span: a repeat has an earlier one.
    """

    is_whole: bool = False
    findings: PartitionFindings = field(default_factory=PartitionFindings)
    unexplained: dict[tuple[str, int], SeenCommand] = field(default_factory=dict)
    _authorizations: dict[str, SeenAuthorization] = field(default_factory=lambda: defaultdict(SeenAuthorization))
    _records: dict[str, SeenRecord] = field(default_factory=dict)
    _first_records: dict[str, SeenRecord] = field(default_factory=dict)

    def see_value(self, topic: str, authorization_id: str, offset: int, value: bytes | None) -> None:
        """Look for the form of a secret in a record of any topic."""
        self.findings.examined["7"] += 1
        if value is not None and has_secret(value):
            self.findings.add(PromiseRule.SECRET, authorization_id, topic, offset)

    def see_record(self, authorization_id: str, sequence: int | None, offset: int) -> None:
        """Take the next record on `authorizations`."""
        before = self._records.get(authorization_id, SeenRecord(None, 0)).sequence
        if before is not None and sequence is not None and sequence <= before:
            detail = f"number {sequence} after {before}"
            self.findings.add(PromiseRule.RECORD_BEHIND, authorization_id, "authorizations", offset, detail)
        self._records[authorization_id] = SeenRecord(sequence, offset)

    def records_read(self) -> None:
        """Note that the events that come now were read after the records so far."""
        self._first_records = dict(self._records)

    def see_event(self, event: SeenEvent) -> None:
        """Take the next event."""
        self.findings.examined["4"] += 1
        if event.kind == "command.finished":
            self.findings.examined["3"] += 1
        for rule, detail in self._authorizations[event.authorization_id].see(event):
            self.findings.add(rule, event.authorization_id, "events", event.offset, detail)
        self.findings.examined["9"] += event.kind in ACTS

    def compare_records(self) -> None:
        """Compare the records with the last events. The records after `records_read` were read after the events."""
        behind, topic = PromiseRule.RECORD_BEHIND, "authorizations"
        for id_, seen in self._authorizations.items():
            number, _, offset = seen.last or (0, 0.0, 0)
            first, newest = self._first_records.get(id_), self._records.get(id_)
            if first is not None and (first.sequence or 0) > number:
                self.findings.add(PromiseRule.RECORD_AHEAD, id_, topic, first.offset, f"{first.sequence} > {number}")
            if newest is None and seen.is_known:
                self.findings.add(behind, id_, "events", offset, f"no record, {number} events")
            elif newest is not None and (newest.sequence or number) < number:
                self.findings.add(behind, id_, topic, newest.offset, f"{newest.sequence} < {number}")

    def see_command(self, command: SeenCommand, *, is_finished: bool = True) -> None:
        """Take the next command, after all events. `is_finished`: the progress says so, so it must have its end."""
        id_, seen = command.authorization_id, self._authorizations.get(command.authorization_id)
        if command.has_clear_text:
            self.findings.add(PromiseRule.CLEAR_TEXT, id_, "commands", command.offset, command.type)
        type_ = CommandType(full_type(command.type))
        if type_ in MAY_LEAVE_NOTHING or not is_finished:
            return
        self.findings.examined["5"] += 1
        key = command.redrives or (command.id, OWN if type_ in OWN_EVENT_OF else 0)
        # A record that cannot be used is a dead letter instead.
        if seen is not None and (key in seen.ends or (command.id, 0) in seen.ends):
            if self.is_whole and key == (command.id, 0):
                self._in_order(command, seen)
        elif (seen is None or not seen.has_dropped) and len(self.unexplained) < MOST_UNEXPLAINED:
            self.unexplained.setdefault(key, command)
        else:
            self.findings.not_examined["commands without an end, beyond the bounds"] += 1

    def _in_order(self, command: SeenCommand, seen: SeenAuthorization) -> None:
        place, *times = seen.ends[command.id, 0]
        if place < seen.furthest:
            self.findings.add(PromiseRule.ORDER, command.authorization_id, "commands", command.offset, command.id)
        seen.furthest = max(seen.furthest, place if place < _COMPARED else 0)
        seen.ends[command.id, 0] = _COMPARED, times[0], times[1]  # a repeat comes after commands that ended later

    def see_earlier(self, event: SeenEvent) -> None:
        """Take an event from before the span, or a dead letter: it explains the repeats of its command."""
        command = event.data.get("commandId")
        for key in ((command, int(event.data.get("redrive") or 0)), (event.cause, OWN), (command, OWN)):
            self.unexplained.pop(key, None)  # type: ignore[arg-type]  # an absent id is no key

    def lost_ends(self) -> None:
        """Add a violation for each command that nothing explains."""
        for command in self.unexplained.values():
            is_read = full_type(command.type) == CommandType.AUTHORIZATION_RECORD_READ
            rule = PromiseRule.UNRECORDED_READ if is_read else PromiseRule.LOST_END
            self.findings.add(rule, command.authorization_id, "commands", command.offset, command.id)
        self.unexplained.clear()


def torn(
    number: int, parts: Mapping[str, Part], newest: Mapping[str, NewestTransaction], last_number: int
) -> Iterator[tuple[str, str, int, str]]:
    """Yield the authorization, the topic, the offset and the detail of each half of a torn transaction.

    Args:
        number: of the transaction that wrote the progress that was read first.
        parts: of this progress (`ProgressRecord`), by the same names as `newest`.
        newest: what each topic showed when it was read after this progress.
        last_number: of the progress that was read after these topics.
    """
    for topic, shown in newest.items():
        begin, _, lasting = parts.get(topic, (0, 0, 0))
        if shown.number > last_number:
            yield shown.authorization_id, topic, shown.offset, f"transaction {shown.number}, state {last_number}"
        elif lasting and shown.begin <= begin and shown.number < number:
            yield "", topic, begin, f"transaction {number} of state is missing"
