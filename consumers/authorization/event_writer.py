"""Writes events and the public record as Kafka outputs: numbers the events and serialises them.

Only this module increments `sequence`, so that it has no gaps. A caller must store the state that `outputs` returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.authorization.event_factory import at
from consumers.authorization.reduction import PendingEvent
from consumers.authorization.state import AuthorizationState, Handoff
from consumers.engine import Output
from schemas.authorization import ActiveHandoff, AuthorizationRecord, LastHandoff
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.enums import Agreement, ClosedBy, CloseReport
from schemas.records import publish, write_authorization, write_dead_letter, write_dead_letter_ended, write_event
from schemas.topics import Topics


@dataclass(frozen=True, slots=True)
class EventWriter:
    """Writes to the topics, under the CloudEvents `source` of this environment."""

    topics: Topics
    source: str

    def outputs(
        self,
        key: bytes,
        before: AuthorizationState,
        after: AuthorizationState,
        events: Sequence[PendingEvent],
        *,
        now: float,
        traceparent: str | None = None,
    ) -> tuple[AuthorizationState, tuple[Output, ...]]:
        """Return the state with its new sequence, and the records: the events in order, then the public record."""
        authorization_id, sequence, time = key.decode("utf-8", "replace"), after.sequence, at(now)
        outputs: list[Output] = []
        for pending in events:
            sequence += 1
            published = publish(
                pending.event,
                authorization_id=authorization_id,
                sequence=sequence,
                time=time,
                causation_id=pending.cause,
                traceparent=traceparent,
            )
            headers, value = write_event(published, self.source)
            outputs.append(Output(self.topics.events.name, key, value, headers))
        if events:
            after = after.replace(sequence=sequence)
        # Written with every event, so that a reader that starts from the record finds no gap after its sequence.
        if (events or _is_public_change(before, after)) and (public := public_record(after, now)) is not None:
            headers, value = write_authorization(authorization_id, public, self.source)
            outputs.append(Output(self.topics.authorizations.name, key, value, headers))
        return after, tuple(outputs)

    def dead_letter(self, key: bytes, dead_letter: DeadLetter) -> Output:
        """Return the record of a dead letter."""
        headers, value = write_dead_letter(dead_letter, self.source)
        return Output(self.topics.dead_letters.name, key, value, headers)

    def dead_letter_ended(self, key: bytes, ended: DeadLetterEnded) -> Output:
        """Return the record that ends a dead letter: it no longer waits for a decision."""
        headers, value = write_dead_letter_ended(key.decode("utf-8", "replace"), ended, self.source)
        return Output(self.topics.dead_letters.name, key, value, headers)

    def tombstone(self, key: bytes) -> Output:
        """Return the record that deletes the public record."""
        return Output(self.topics.authorizations.name, key, None)


def public_record(state: AuthorizationState, now: float) -> AuthorizationRecord | None:
    """Return the public record; None before the first read of the authorization."""
    known = state.known
    if known is None:
        return None
    return AuthorizationRecord(
        sequence=state.sequence,
        version=known.version,
        status=known.status,
        outcome=known.outcome,
        next_action=known.action,
        resolution=known.resolution,
        covers_review_snapshot_id=known.covers,
        receipt_seen=known.receipt,
        decision_seen=known.decision,
        active_handoff=_active(state.active) if state.active else None,
        last_handoff=_last(state.last) if state.last else None,
        settled_at=None if state.settled_at is None else at(state.settled_at),
        watched_since=at(state.watch.since if state.watch else now),
        watch_ended_at=at(state.watch.moved_at) if state.watch and state.watch.ended else None,
        updated_at=at(now),
    )


def _is_public_change(before: AuthorizationState, after: AuthorizationState) -> bool:
    # Parts are immutable: an unchanged part is the same object.
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
        reported=None if handoff.reported is None else CloseReport(handoff.reported),
        agreement=None if handoff.agreement is None else Agreement(handoff.agreement),
    )
