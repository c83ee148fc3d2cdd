"""Records as a busy gateway writes them, made up: for tests and benchmarks of whoever reads the topics.

Believable per authorization (its events are numbered, its commands end), the same for the same seed, and of any number.
"""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
from schemas.enums import Agreement, ClosedBy, DecisionReason, Effect, Outcome, Report, ReportedOutcome
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

SOURCE = "/collate-gateway/story"
BEGAN = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)
CALLERS = ("intake", "scheduling", "billing")


@dataclass(frozen=True, slots=True)
class Written:
    """One record: on which topic (its role), for which authorization."""

    topic: str
    authorization_id: str
    headers: KafkaHeaders
    value: bytes


class Story:
    """What is written for one authorization, from its watch to its end."""

    def __init__(self, authorization_id: str, seed: int) -> None:
        self.authorization_id = authorization_id
        self._chance = random.Random(f"{seed}-{authorization_id}")
        self._now = BEGAN + timedelta(seconds=self._chance.random() * 3600)
        self._sequence = 0
        self._version = 1
        self._written: list[Written] = []
        self._asked: dict[str, RecordedCommand] = {}

    def tell(self) -> list[Written]:
        """Write it all."""
        watch = self._ask(AuthorizationWatch(metadata={"case": f"case-{self._chance.randrange(1000):04}"}))
        self._finish(watch, reads=1)
        self._say(AuthorizationActionRequired(action="complete_payer_interaction", version=self._version))
        request = HandoffRequest(metadata={"case": "c-1"})
        opening = self._ask(request)
        if self._chance.random() < 0.3:
            self._keep_again()
        if self._chance.random() < 0.2:
            self._wait(opening)
        handoff = f"mhand_{self._chance.randrange(10**6)}"
        if self._chance.random() < 0.15:
            redrives = self._die(opening, request)
            if redrives is None:
                return self._written
        self._say(
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
        self._stand(handoff, None)
        for _ in range(self._chance.randrange(3)):
            self._grant(handoff)
        if self._chance.random() < 0.1:
            return self._written
        result = Completed(
            reported_outcome=ReportedOutcome.SUBMITTED,
            observed_reference_number="PHI-0001",
            operator_notes="free text of a person: PHI",
        )
        closing = self._ask(HandoffClose(handoff_id=handoff, result=result))
        self._say(
            HandoffClosed(
                handoff_id=handoff,
                result="completed_reported",
                by=ClosedBy.US,
                reported=Report.SUBMITTED,
                version=self._version,
            ),
            closing,
        )
        self._finish(closing, handoff=handoff, reads=1)
        self._end(handoff, closing)
        return self._written

    def _end(self, handoff: str, closing: str) -> None:
        truth = PayerTruth(status="completed", outcome="approved", receipt_seen=True, decision_seen=True)
        agrees = Agreement.AGREES
        self._say(
            AuthorizationChanged(
                from_status="processing", to_status="completed", receipt_seen=True, decision_seen=True, version=9
            )
        )
        self._say(
            HandoffReconciled(handoff_id=handoff, reported=Report.SUBMITTED, payer=truth, agreement=agrees), closing
        )
        self._say(AuthorizationSettled(payer=truth, handoff_id=handoff, reported=Report.SUBMITTED, agreement=agrees))
        self._stand(None, handoff)

    def _ask(self, data: Command, record_id: str | None = None) -> str:
        command_id = record_id or str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        command = RecordedCommand(command_id, self._chance.choice(CALLERS), self.authorization_id, self._tick(), data)
        self._asked[command_id] = command
        self._keep("commands", *write_command(command, SOURCE))
        return command_id

    def _keep_again(self) -> None:
        self._written.append(self._written[-1])

    def _wait(self, command_id: str) -> None:
        event = CommandWaiting(
            command_id=command_id,
            command=HandoffRequest.TYPE,
            caller=self._asked[command_id].caller,
            reason="breaker",
            advice="Collate fails for many authorizations; it is tried again by itself.",
            until=self._now + timedelta(seconds=30),
            attempts=self._attempts(1),
        )
        self._say(event, command_id)

    def _die(self, command_id: str, request: HandoffRequest) -> int | None:
        """Dead-letter it, then redrive it (once or twice), discard it or leave it (None)."""
        for redrive in (1, 2):
            self._say(
                CommandDeadLettered(
                    command_id=command_id,
                    command=request.TYPE,
                    caller=self._asked[command_id].caller,
                    cause="outcome_unknown",
                    advice="Look at the authorization, then redrive or discard.",
                    redrive=redrive - 1 or None,
                    attempts=self._attempts(3),
                ),
                command_id,
            )
            if (then := self._chance.random()) < 0.2:
                return None
            if then < 0.4:
                break
            original = Original(
                type=request.TYPE,
                caller=self._asked[command_id].caller,
                accepted_at=self._asked[command_id].accepted_at,
                data={},
            )
            self._ask(
                Redrive(
                    command_id=command_id,
                    redrive=redrive,
                    requested_by="op-7",
                    reason=DecisionReason.FIX_DEPLOYED,
                    why="PHI why",
                    command=original,
                )
            )
            if self._chance.random() < 0.6:
                self._finish(command_id, redrive=redrive)
                return redrive
        self._ask(
            Discard(
                command_id=command_id,
                requested_by="op-7",
                reason=DecisionReason.DONE_BY_HAND,
                ticket="OPS-7",
                why="PHI why",
            )
        )
        self._say(
            CommandFinished(
                command_id=command_id,
                command=request.TYPE,
                caller=self._asked[command_id].caller,
                outcome=Outcome.DISCARDED,
                effect=Effect.NONE,
                reason="discarded",
                decision=OperatorDecision(requested_by="op-7", reason=DecisionReason.DONE_BY_HAND, ticket="OPS-7"),
            ),
            command_id,
        )
        return None

    def _finish(self, command_id: str, *, handoff: str | None = None, reads: int = 0, redrive: int = 0) -> None:
        self._version += handoff is not None
        self._say(
            CommandFinished(
                command_id=command_id,
                command=self._asked[command_id].data.TYPE,
                caller=self._asked[command_id].caller,
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
        record = self._ask(RecordAccess(handoff_id=handoff, operator="op-7", grant_expires_at=expires))
        self._say(HandoffAccessGranted(handoff_id=handoff, operator="op-7", expires_at=expires), record)

    def _say(self, event: Event, cause: str | None = None) -> None:
        self._sequence += 1
        published = publish(
            event,
            authorization_id=self.authorization_id,
            sequence=self._sequence,
            time=self._tick(),
            causation_id=cause,
        )
        self._keep("events", *write_event(published, SOURCE))

    def _stand(self, active: str | None, last: str | None) -> None:
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
        self._keep("authorizations", *write_authorization(self.authorization_id, record, SOURCE))

    def _keep(self, topic: str, headers: KafkaHeaders, value: bytes | None) -> None:
        self._written.append(Written(topic, self.authorization_id, headers, value or b""))

    def _tick(self) -> datetime:
        self._now += timedelta(milliseconds=self._chance.randrange(1, 5_000))
        return self._now


def stories(authorizations: int, seed: int = 1) -> Iterator[Written]:
    """Tell the stories of so many authorizations, interleaved, each in its order."""
    chance = random.Random(seed)
    open_ = [Story(f"auth_{number:06}", seed).tell()[::-1] for number in range(authorizations)]
    while open_:
        at = chance.randrange(len(open_))
        yield open_[at].pop()
        if not open_[at]:
            open_[at] = open_[-1]
            open_.pop()
