"""Events and the public record as Kafka outputs: numbers the events, freezes the bytes.

The only place where `sequence` grows, so that it has no gaps: whoever publishes takes the memory back from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.authorization.event_factory import at
from consumers.authorization.reduction import PendingEvent
from consumers.authorization.state import AuthorizationState, Handoff
from consumers.engine import Output
from schemas.authorization import ActiveHandoff, AuthorizationRecord, LastHandoff
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.enums import Agreement, ClosedBy, Report
from schemas.records import publish, write_authorization, write_dead_letter, write_dead_letter_ended, write_event
from schemas.topics import Topics


@dataclass(frozen=True, slots=True)
class EventWriter:
    """Where and as whom we publish."""

    topics: Topics
    source: str

    def outputs(
        self,
        key: bytes,
        before: AuthorizationState,
        after: AuthorizationState,
        told: Sequence[PendingEvent],
        *,
        now: float,
        traceparent: str | None = None,
    ) -> tuple[AuthorizationState, tuple[Output, ...]]:
        """Return the memory with its new sequence, and the records: the events in order, then the public state."""
        authorization_id, sequence, time = key.decode("utf-8", "replace"), after.sequence, at(now)
        outputs: list[Output] = []
        for one in told:
            sequence += 1
            published = publish(
                one.event,
                authorization_id=authorization_id,
                sequence=sequence,
                time=time,
                causation_id=one.cause,
                traceparent=traceparent,
            )
            headers, value = write_event(published, self.source)
            outputs.append(Output(self.topics.events.name, key, value, headers))
        if told:
            after = after.but(sequence=sequence)
        # With every event, so that a reader who begins with the record sees no gap behind it.
        if (told or _shows_something_new(before, after)) and (public := record(after, now)) is not None:
            headers, value = write_authorization(authorization_id, public, self.source)
            outputs.append(Output(self.topics.authorizations.name, key, value, headers))
        return after, tuple(outputs)

    def dead_letter(self, key: bytes, letter: DeadLetter) -> Output:
        """Return a dead letter's record."""
        headers, value = write_dead_letter(letter, self.source)
        return Output(self.topics.dead_letters.name, key, value, headers)

    def dead_letter_ended(self, key: bytes, ended: DeadLetterEnded) -> Output:
        """Return the record that takes a dead letter from the list of what waits for a person."""
        headers, value = write_dead_letter_ended(key.decode("utf-8", "replace"), ended, self.source)
        return Output(self.topics.dead_letters.name, key, value, headers)

    def tombstone(self, key: bytes) -> Output:
        """Return what removes the public record."""
        return Output(self.topics.authorizations.name, key, None)


def record(memory: AuthorizationState, now: float) -> AuthorizationRecord | None:
    """Return the public state; None while the authorization has never been read."""
    known = memory.known
    if known is None:
        return None
    return AuthorizationRecord(
        sequence=memory.sequence,
        version=known.version,
        status=known.status,
        outcome=known.outcome,
        next_action=known.action,
        resolution=known.resolution,
        covers_review_snapshot_id=known.covers,
        receipt_seen=known.receipt,
        decision_seen=known.decision,
        active_handoff=_active(memory.active) if memory.active else None,
        last_handoff=_last(memory.last) if memory.last else None,
        settled_at=None if memory.settled_at is None else at(memory.settled_at),
        watched_since=at(memory.watch.since if memory.watch else now),
        watch_ended_at=at(memory.watch.moved_at) if memory.watch and memory.watch.ended else None,
        updated_at=at(now),
    )


def _shows_something_new(before: AuthorizationState, after: AuthorizationState) -> bool:
    # Parts are immutable, so what did not change is the same object.
    return (
        before.known is not after.known
        or before.active is not after.active
        or before.last is not after.last
        or before.settled_at != after.settled_at
    )


def _active(handoff: Handoff) -> ActiveHandoff:
    return ActiveHandoff(
        id=handoff.id,
        state=handoff.state,
        access_available=handoff.access_available,
        final_submit_capable=handoff.final_submit_capable,
        opened_at=None if handoff.opened_at is None else at(handoff.opened_at),
    )


def _last(handoff: Handoff) -> LastHandoff:
    return LastHandoff(
        id=handoff.id,
        result=handoff.result or "unrecognised",
        by=None if handoff.by is None else ClosedBy(handoff.by),
        reported=None if handoff.reported is None else Report(handoff.reported),
        agreement=None if handoff.agreement is None else Agreement(handoff.agreement),
    )
