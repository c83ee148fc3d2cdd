"""Writes events and the public record as Kafka outputs: numbers the events and serialises them.

Only this module increments `sequence`, so that it has no gaps. A caller must store the state that `outputs` returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.authorization.event_factory import at, public_record
from consumers.authorization.numbers.handoff_numbers import HandoffNumbers
from consumers.authorization.reduction import PendingEvent
from consumers.authorization.state import AuthorizationState
from consumers.engine import Output
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.records import publish, write_authorization, write_dead_letter, write_dead_letter_ended, write_event
from schemas.topics import Topics


@dataclass(frozen=True, slots=True)
class EventWriter:
    """Writes to the topics, under the CloudEvents `source` of this environment."""

    topics: Topics
    source: str
    numbers: HandoffNumbers | None = None

    def outputs(
        self,
        key: bytes,
        state: AuthorizationState,
        events: Sequence[PendingEvent],
        *,
        now: float,
        caused_at: float,
        traceparent: str | None = None,
    ) -> tuple[AuthorizationState, tuple[Output, ...]]:
        """Return the state with its new sequence, and the records: the events in order, then the public record.

        `now` is later than `state.last_event_at`.
        `caused_at` is the same in each repetition of the invocation, so event 1 gets the same id again after a crash.
        """
        if not events:
            return state, ()
        life = round(caused_at * 1000) if state.life is None else state.life
        authorization_id, sequence, time = key.decode("utf-8", "replace"), state.sequence, at(now)
        outputs: list[Output] = []
        for pending in events:
            sequence += 1
            published = publish(
                pending.event,
                authorization_id=authorization_id,
                life=life,
                sequence=sequence,
                time=time,
                causation_id=pending.cause,
                correlation_id=pending.first,
                traceparent=traceparent,
            )
            headers, value = write_event(published, self.source)
            outputs.append(Output(self.topics.events.name, key, value, headers))
        state = state.replace(life=life, sequence=sequence, last_event_at=now)
        # Written with every event, so that a reader that starts from the record finds no gap after its sequence. Never
        # written without one, so that a sequence has one public state: the reducer emits an event for each change.
        if (public := public_record(state, now)) is not None:
            headers, value = write_authorization(authorization_id, public, self.source, life=life)
            outputs.append(Output(self.topics.authorizations.name, key, value, headers))
        return state, tuple(outputs)

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
