"""The rules that the topics can show broken, and where one is broken."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

MOST_VIOLATIONS: Final = 1_000


class PromiseRule(StrEnum):
    """A rule. `promise` is its number in docs/architecture.md#promises."""

    promise: str

    def __new__(cls, sentence: str, promise: str) -> Self:
        """Return a member whose value is the sentence."""
        member = str.__new__(cls, sentence)
        member._value_ = sentence
        member.promise = promise
        return member

    TWO_ENDS = "a command ended twice", "3"
    DECISION = "a decision ended a command that was no open dead letter", "3"
    SEQUENCE = "the events of an authorization are not numbered without gaps", "4"
    MALFORMED = "an event has a form that the gateway does not write", "4"
    MISPLACED = "a record is not in the partition of its key", "4"
    EVENT_ID = "an event's id was used again", "4"
    TIME = "an event is earlier than the one before", "4"
    ORDER = "the ends of an authorization's commands are not in the order of the commands", "4"
    RECORD_BEHIND = "the record on `authorizations` is behind the events", "4"
    RECORD_AHEAD = "the record on `authorizations` is ahead of the events", "4"
    OPENED_AGAIN = "a handoff opened after it had closed", "4"
    CLOSED_UNOPENED = "a handoff closed that had not opened", "4"
    CLOSED_TWICE = "a handoff closed twice", "4"
    RECONCILED_EARLY = "a handoff was reconciled before it closed", "4"
    LOST_END = "a finished command has no end", "5"
    TORN = "a transaction is in one topic and not in another", "3, 5"
    CLEAR_TEXT = "a field that must be encrypted is not", "7"
    SECRET = "a record has the form of a secret", "7"
    NAMELESS = "an act names no caller", "9"
    NO_PERSON = "an act of a person names no person", "9"
    UNRECORDED_READ = "a read of content has no event", "9"


PROMISES = ("3", "4", "5", "3, 5", "7", "9")


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule. `topic` is a role, such as `events`; `detail` has ids and numbers, never content.

    `authorization` is empty if a whole partition is meant.
    """

    rule: PromiseRule
    authorization: str
    topic: str
    partition: int
    offset: int
    detail: str


@dataclass(slots=True)
class PartitionFindings:
    """What a pass over one partition found.

    Attributes:
        partition: its number.
        violations: at most 1,000; `found` counts all, by rule.
        examined: how many records or ends were compared, by promise.
        not_examined: how many were not, by the reason.
    """

    partition: int = 0
    violations: list[Violation] = field(default_factory=list)
    found: Counter[PromiseRule] = field(default_factory=Counter)
    examined: Counter[str] = field(default_factory=Counter)
    not_examined: Counter[str] = field(default_factory=Counter)

    def add(self, rule: PromiseRule, authorization_id: str, topic: str, offset: int, detail: str = "") -> None:
        """Add a violation."""
        self.found[rule] += 1
        if len(self.violations) < MOST_VIOLATIONS:
            self.violations.append(Violation(rule, authorization_id, topic, self.partition, offset, detail))

    def seen_again(self, again: Self) -> None:
        """Keep only the violations that another pass has found too: a deposed leader may show an old end of a log."""
        both = {(one.rule, one.authorization) for one in again.violations}
        self.violations = [one for one in self.violations if (one.rule, one.authorization) in both]
        self.found &= again.found
