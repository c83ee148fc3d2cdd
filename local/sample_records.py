"""Made-up records of a busy gateway, for tests and benchmarks of the topics' readers.

The records of an authorization are consistent: events have sequence numbers, commands end. The same seed gives the same
records.
"""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from local.phi_keys import new_keys
from schemas.attempts import Attempt
from schemas.authorization import ActiveHandoff, AuthorizationRecord, LastHandoff
from schemas.cloudevents import KafkaHeaders
from schemas.commands import (
    AuthorizationWatch,
    Command,
    Completed,
    Discard,
    HandoffClose,
    HandoffRequest,
    Original,
    RecordAccess,
    Redrive,
)
from schemas.enums import Agreement, AssertedBy, ClosedBy, CloseReport, DecisionReason, Effect, Outcome, ReportedOutcome
from schemas.events import (
    AuthorizationActionRequired,
    AuthorizationChanged,
    AuthorizationSettled,
    CommandDeadLettered,
    CommandFinished,
    CommandWaiting,
    Event,
    HandoffAccessGranted,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
    PayerTruth,
)
from schemas.operator_decision import OperatorDecision
from schemas.records import RecordedCommand, publish, write_authorization, write_command, write_event

SOURCE = "/collate-gateway/sample"
BEGAN = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)
CALLERS = ("intake", "scheduling", "billing")
_LIFE = round(BEGAN.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """A record of a topic; `topic` is the topic's role."""

    topic: str
    authorization_id: str
    headers: KafkaHeaders
    value: bytes


class SampleAuthorization:
    """The records of one authorization, from its watch to its end."""

    def __init__(self, authorization_id: str, seed: int) -> None:
        self.authorization_id = authorization_id
        self._keys = new_keys()
        self._random = random.Random(f"{seed}-{authorization_id}")
        self._now = BEGAN + timedelta(seconds=self._random.random() * 3600)
        self._sequence = 0
        self._version = 1
        self._records: list[SampleRecord] = []
        self._commands: dict[str, RecordedCommand] = {}

    def records(self) -> list[SampleRecord]:
        """Return all records in order."""
        watch = self._command(AuthorizationWatch(metadata={"case": f"case-{self._random.randrange(1000):04}"}))
        self._finish(watch, reads=1)
        self._event(AuthorizationActionRequired(action="complete_payer_interaction", version=self._version))
        request = HandoffRequest(metadata={"case": "c-1"})
        opening = self._command(request)
        if self._random.random() < 0.3:
            self._append_duplicate()
        if self._random.random() < 0.2:
            self._wait(opening)
        handoff = f"mhand_{self._random.randrange(10**6)}"
        if self._random.random() < 0.15:
            redrives = self._dead_letter(opening, request)
            if redrives is None:
                return self._records
        self._event(
            HandoffOpened(
                handoff_id=handoff,
                access_available=True,
                final_submit_capable=True,
                opened_at=self._now,
                version=self._version,
            ),
            opening,
        )
        self._finish(opening, handoff=handoff, reads=1)
        self._snapshot(handoff, None)
        for _ in range(self._random.randrange(3)):
            self._grant(handoff)
        if self._random.random() < 0.1:
            return self._records
        result = Completed(
            reported_outcome=ReportedOutcome.SUBMITTED,
            observed_reference_number="PHI-0001",
            operator_notes="free text: PHI",
        )
        closing = self._command(HandoffClose(handoff_id=handoff, result=result))
        self._event(
            HandoffClosed(
                handoff_id=handoff,
                result="completed_reported",
                by=ClosedBy.US,
                caller=self._commands[closing].caller,
                reported=CloseReport.SUBMITTED,
                version=self._version,
            ),
            closing,
        )
        self._finish(closing, handoff=handoff, reads=1)
        self._end(handoff, closing)
        return self._records

    def _end(self, handoff: str, closing: str) -> None:
        truth = PayerTruth(status="completed", outcome="approved", receipt_seen=True, decision_seen=True)
        agrees = Agreement.AGREES
        self._event(
            AuthorizationChanged(
                from_status="processing", to_status="completed", receipt_seen=True, decision_seen=True, version=9
            )
        )
        self._event(
            HandoffReconciled(handoff_id=handoff, reported=CloseReport.SUBMITTED, payer=truth, agreement=agrees),
            closing,
        )
        self._event(
            AuthorizationSettled(payer=truth, handoff_id=handoff, reported=CloseReport.SUBMITTED, agreement=agrees)
        )
        self._snapshot(None, handoff)

    def _command(self, data: Command, record_id: str | None = None) -> str:
        command_id = record_id or str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        command = RecordedCommand(command_id, self._random.choice(CALLERS), self.authorization_id, self._tick(), data)
        self._commands[command_id] = command
        self._append("commands", *write_command(command, SOURCE, self._keys))
        return command_id

    def _append_duplicate(self) -> None:
        self._records.append(self._records[-1])

    def _wait(self, command_id: str) -> None:
        event = CommandWaiting(
            command_id=command_id,
            command=HandoffRequest.TYPE,
            caller=self._commands[command_id].caller,
            reason="breaker",
            advice="Collate fails for many authorizations; the gateway retries automatically.",
            until=self._now + timedelta(seconds=30),
            attempts=self._attempts(1),
        )
        self._event(event, command_id)

    def _dead_letter(self, command_id: str, request: HandoffRequest) -> int | None:
        """Dead-letter a command, then redrive it once or twice, discard it, or leave it waiting.

        Returns the redrive that finished the command, or None.
        """
        for redrive in (1, 2):
            self._event(
                CommandDeadLettered(
                    command_id=command_id,
                    command=request.TYPE,
                    caller=self._commands[command_id].caller,
                    cause="outcome_unknown",
                    advice="Look at the authorization, then redrive or discard.",
                    redrive=redrive - 1 or None,
                    attempts=self._attempts(3),
                ),
                command_id,
            )
            if (choice := self._random.random()) < 0.2:
                return None
            if choice < 0.4:
                break
            original = Original(
                type=request.TYPE,
                caller=self._commands[command_id].caller,
                accepted_at=self._commands[command_id].accepted_at,
                data={},
            )
            self._command(
                Redrive(
                    command_id=command_id,
                    redrive=redrive,
                    requested_by="op-7",
                    reason=DecisionReason.FIX_DEPLOYED,
                    why="PHI why",
                    command=original,
                )
            )
            if self._random.random() < 0.6:
                self._finish(command_id, redrive=redrive)
                return redrive
        self._command(
            Discard(
                command_id=command_id,
                requested_by="op-7",
                reason=DecisionReason.DONE_BY_HAND,
                ticket="OPS-7",
                why="PHI why",
            )
        )
        self._event(
            CommandFinished(
                command_id=command_id,
                command=request.TYPE,
                caller=self._commands[command_id].caller,
                outcome=Outcome.DISCARDED,
                effect=Effect.NONE,
                reason="discarded",
                decision=OperatorDecision(
                    requested_by="op-7",
                    asserted_by=AssertedBy.CALLER,
                    caller="on-call",
                    reason=DecisionReason.DONE_BY_HAND,
                    ticket="OPS-7",
                ),
            ),
            command_id,
        )
        return None

    def _finish(self, command_id: str, *, handoff: str | None = None, reads: int = 0, redrive: int = 0) -> None:
        self._version += handoff is not None
        self._event(
            CommandFinished(
                command_id=command_id,
                command=self._commands[command_id].data.TYPE,
                caller=self._commands[command_id].caller,
                outcome=Outcome.APPLIED,
                effect=Effect.OURS if handoff else Effect.NONE,
                handoff_id=handoff,
                version=self._version,
                redrive=redrive or None,
                attempts=self._attempts(reads + (handoff is not None)),
            ),
            command_id,
        )

    def _attempts(self, count: int) -> list[Attempt] | None:
        made = [
            Attempt(at=self._tick(), operation="get-authorization", result="answered", status=200, ms=20)
            for _ in range(count)
        ]
        return made or None

    def _grant(self, handoff: str) -> None:
        expires = self._now + timedelta(minutes=15)
        record = self._command(RecordAccess(handoff_id=handoff, operator="op-7", grant_expires_at=expires))
        caller = self._commands[record].caller
        self._event(
            HandoffAccessGranted(
                handoff_id=handoff,
                operator="op-7",
                asserted_by=AssertedBy.CALLER,
                caller=caller,
                expires_at=expires,
            ),
            record,
        )

    def _event(self, event: Event, cause: str | None = None) -> None:
        self._sequence += 1
        published = publish(
            event,
            authorization_id=self.authorization_id,
            life=_LIFE,
            sequence=self._sequence,
            time=self._tick(),
            causation_id=cause,
        )
        self._append("events", *write_event(published, SOURCE))

    def _snapshot(self, active: str | None, last: str | None) -> None:
        record = AuthorizationRecord(
            sequence=self._sequence,
            version=self._version,
            status="processing" if active else "completed",
            receipt_seen=active is None,
            decision_seen=active is None,
            active_handoff=ActiveHandoff(
                id=active, state="active", access_available=True, final_submit_capable=True, opened_at=self._now
            )
            if active
            else None,
            last_handoff=LastHandoff(id=last, result="completed_reported") if last else None,
            settled_at=self._now if last else None,
            watched_since=BEGAN,
            updated_at=self._now,
        )
        self._append("authorizations", *write_authorization(self.authorization_id, record, SOURCE, life=_LIFE))

    def _append(self, topic: str, headers: KafkaHeaders, value: bytes | None) -> None:
        self._records.append(SampleRecord(topic, self.authorization_id, headers, value or b""))

    def _tick(self) -> datetime:
        self._now += timedelta(milliseconds=self._random.randrange(1, 5_000))
        return self._now


def sample_records(authorizations: int, seed: int = 1) -> Iterator[SampleRecord]:
    """Yield the records of several authorizations, interleaved; those of each authorization are in order."""
    chooser = random.Random(seed)
    open_ = [SampleAuthorization(f"auth_{number:06}", seed).records()[::-1] for number in range(authorizations)]
    while open_:
        at = chooser.randrange(len(open_))
        yield open_[at].pop()
        if not open_[at]:
            open_[at] = open_[-1]
            open_.pop()
