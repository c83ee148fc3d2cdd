"""One write of a command: its committed intent, the request, and what the response means (decision 0002).

commit ──▶ send ──▶ effect: the command is finished
             │ ──▶ a final refusal: the command is rejected, or becomes a dead letter
             │ ──▶ no effect for certain: the intent ends, and the next write takes the next n (None)
             └───▶ not sent, ambiguous or deferred: the command waits, and the same request is sent again

This module never decides whether to write, and it sends nothing that is not in the committed state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from adapters.collate.answers import Ambiguous, Answered, Deferred, NotSent, Refused
from adapters.collate.errors import RETRYABLE, Disposition, route
from adapters.collate.operations import CLOSES, Operation, write_key
from consumers.applier.decision.decision_input import closer_of
from consumers.applier.decision.resolve import CLOCK_SKEW_SECONDS
from consumers.applier.outcome import Applied, DeadLettered, Rejected, Waits
from consumers.applier.reasons import rejection
from consumers.authorization.facts import CloseAnswered, CreateAnswered
from consumers.authorization.recent_commands import digest
from consumers.authorization.retry_policy import (
    MOST_WRITES,
    SAME_FAULTS,
    UNSENT_INTENT_SECONDS,
    stored_fault_seconds,
)
from consumers.authorization.state import MOST_ENDED_INTENTS, CommandWork, EndedIntent, Intent
from schemas.collate.handoff import CloseAnswer, HandoffState, ManualHandoff
from schemas.commands import HandoffClose, HandoffRequest
from schemas.enums import Effect
from schemas.events.reasons import DeadLetterCause
from schemas.identity import canonical_json

if TYPE_CHECKING:
    from adapters.collate.answers import CallFailure, Result
    from adapters.collate.client import CollateClient
    from adapters.collate.errors import Route
    from consumers.applier.command_run import CommandRun
    from consumers.applier.outcome import Ending
    from runtime.settings import CollateSettings
    from schemas.collate.authorization import PriorAuthorization
    from schemas.commands import CallerCommand

_OVER: Final = (HandoffState.CLOSING, HandoffState.CLOSED)
MOST_CHECKS: Final = 3


class CommandWrite:
    """A write of a command, identified by its intent."""

    def __init__(self, run: CommandRun, writes: CollateClient, intent: Intent) -> None:
        self._run = run
        self._writes = writes
        self._intent = intent
        self._body = request_body(run.task.payload)

    @classmethod
    async def commit(
        cls,
        run: CommandRun,
        writes: CollateClient,
        operation: Operation,
        handoff_id: str | None,
        *,
        if_match: int,
        version: int,
    ) -> Self:
        """Commit the intent of the command's next write. `version` is the authorization's. Raise PartitionLost."""
        task, invocation = run.task, run.invocation
        work = run.work or CommandWork.model_construct(
            command_id=task.command_id, command=task.type.value, caller=task.caller, redrive=task.redrive
        )
        n = work.n + 1
        intent = Intent.model_construct(
            n=n,
            operation=operation.value,
            handoff_id=handoff_id,
            if_match=if_match,
            version=version,
            key=write_key(task.command_id, operation, n),
            body_digest=_digest(run, request_body(task.payload)),
            first_sent_at=invocation.now,
        )
        run.unit_of_work.change(work=work.replace(n=n, intent=intent))
        await run.unit_of_work.checkpoint()
        run.context.hints.begin(intent.key, invocation.since)
        return cls(run, writes, intent)

    async def resend(self) -> Ending | None:
        """Send the intent again, which may be in flight. None: it has ended, or only a read can resolve it."""
        contract: CollateSettings = self._run.context.contract
        age = self._run.invocation.now - self._intent.first_sent_at
        if self._run.hint(self._intent).unsent and age > UNSENT_INTENT_SECONDS:
            self._withdraw()
            return None
        is_same = _digest(self._run, self._body) == self._intent.body_digest
        if age > contract.key_retention.total_seconds() or not is_same:
            self._end("not_resent")
            return None
        self._run.context.metrics.intents_resent.inc()
        return await self.send(is_resend=True)

    async def send(self, *, is_resend: bool = False) -> Ending | None:
        """Send the intent and interpret the response. None: the intent has ended."""
        hint = self._run.hint(self._intent)
        was_clean, was_unsent = hint.clean, hint.unsent
        await self._run.invocation.ensure_owned()  # a resend has no commit that could detect a successor
        # Sent, until a result proves otherwise: a call may be cancelled, and another invocation may follow.
        hint.clean = hint.unsent = False
        result = await self._call()
        if isinstance(result, Answered):
            if isinstance(result.model, ManualHandoff):
                return await self._created(result.model, was_resent=is_resend and not was_clean)
            return self._closed(result.model)
        if isinstance(result, NotSent | Deferred):
            hint.clean, hint.unsent = was_clean, was_unsent
        elif isinstance(result, Refused):
            hint.clean = was_clean
        return self._failed(result)

    async def _call(self) -> Result[ManualHandoff] | Result[CloseAnswer]:
        intent, authorization_id = self._intent, self._run.task.authorization_id
        writes, operation = self._writes, Operation(intent.operation)
        record, now = self._run.attempts.record, lambda: self._run.unit_of_work.time
        caller = self._run.invocation.turn.source
        if intent.handoff_id is None:
            create = writes.create_handoff(
                authorization_id, if_match=intent.if_match, key=intent.key, body=self._body, caller=caller
            )
            return await record(operation, create, now, intent.n)
        if operation not in CLOSES:
            raise ValueError("expected an intent whose operation is a close")
        close = writes.close_handoff(
            authorization_id,
            intent.handoff_id,
            operation,
            if_match=intent.if_match,
            key=intent.key,
            body=self._body,
            caller=caller,
        )
        return await record(operation, close, now, intent.n)

    # The intent ends

    def _end(self, ended: str) -> None:
        """End the intent: its request is over, and the next write takes the next n."""
        work, intent = self._run.work, self._intent
        if work is None:
            return
        over = EndedIntent(
            n=intent.n,
            operation=intent.operation,
            key=intent.key,
            if_match=intent.if_match,
            version=intent.version,
            first_sent_at=intent.first_sent_at,
            ended=ended,
        )
        ended_intents = (*work.ended_intents, over)[-MOST_ENDED_INTENTS:]
        ambiguous = self._run.ambiguous
        self._run.unit_of_work.change(work=work.replace(intent=None, ambiguous=ambiguous, ended_intents=ended_intents))
        self._run.context.hints.drop(intent.key)

    def _withdraw(self) -> None:
        """Remove the intent, which never left this machine: its n is free again."""
        work = self._run.work
        if work is not None:
            # A rebuilt state has an ambiguous write before the first intent (decision 0016).
            has_more = self._intent.n > 1 or work.ambiguous is not None
            self._run.unit_of_work.change(work=work.replace(intent=None, n=self._intent.n - 1) if has_more else None)
            self._run.context.hints.drop(self._intent.key)

    # No certain effect

    def _failed(self, result: CallFailure) -> Ending | None:
        intent = self._intent
        way = route(Operation(intent.operation), result, after_ambiguous=self._run.ambiguous is not None)
        if self._is_stored(result, way):
            self._end("same_fault")
            return None
        if not isinstance(result, Refused) or way.disposition in {Disposition.RESEND, Disposition.SUSPEND}:
            return Waits.after(result, way.wait_seconds, self._run.context.chance)
        self._end(result.code or f"status_{result.status}")
        self._raise_floor(result)
        if way.disposition is Disposition.DEAD_LETTER:
            return DeadLettered(DeadLetterCause.REQUEST_REFUSED, intent.handoff_id)
        # The write follows a successful read, so a 404 comes from a lagging replica until the next read confirms it.
        if way.disposition is Disposition.REJECT and result.status != 404:
            return Rejected(rejection(way.reason), intent.handoff_id)
        must_wait = way.wait_seconds or result.retryable
        return Waits.after(result, way.wait_seconds, self._run.context.chance) if must_wait else None

    def _is_stored(self, result: CallFailure, way: Route) -> bool:
        """Whether Collate has stored a failure under the key, so that only a different request can succeed."""
        fault: tuple[int, str | None] | None = None
        match result:
            case NotSent() | Deferred():
                return False  # no response, so the count of equal failures stays
            case Ambiguous(status=int(status), code=code) if status >= 500:
                fault = status, code
            case Refused(status=status, code=code) if way.reason == RETRYABLE.reason:
                fault = status, code
            case _:
                pass
        work = self._run.work
        nth = self._intent.n - (work.inherited_n if work else 0)
        if self._run.hint(self._intent).count_fault(fault) < SAME_FAULTS or nth >= MOST_WRITES:
            return False
        # A retryable refusal may refer to an attempt that is still running; a 5xx ends its own attempt.
        may_be_running = isinstance(result, Refused) and self._run.ambiguous is not None
        age = self._run.invocation.now - self._intent.first_sent_at
        return age >= stored_fault_seconds(nth, may_be_running=may_be_running)

    def _raise_floor(self, refused: Refused) -> None:
        """Store the version that a conflict names: reads of lower versions are stale from now on."""
        is_handoff_version = (
            self._intent.handoff_id is not None and self._run.context.contract.if_match_on_close == "handoff"
        )
        actual = refused.actual_version
        if actual is not None and not is_handoff_version and self._run.unit_of_work.state.floor < actual:
            self._run.unit_of_work.change(floor=actual)

    # An effect

    async def _created(self, handoff: ManualHandoff, *, was_resent: bool) -> Ending | None:
        """Handle the handoff in the response to a create: a new or an existing one (decision 0002, proof)."""
        run, intent, contract = self._run, self._intent, self._run.context.contract
        started = handoff.created_at or handoff.activated_at
        since = run.ambiguous.since if run.ambiguous else intent.first_sent_at
        is_older = started is not None and started.timestamp() < since - CLOCK_SKEW_SECONDS
        if is_older or handoff.id in self._run.unit_of_work.state.ended:
            self._end("anothers_handoff")
            return None
        effect = Effect.OURS if contract.if_match_is_honoured and handoff.state not in _OVER else Effect.INFERRED
        found = await self._read_after(handoff.id, reads=MOST_CHECKS if was_resent else 1)
        if was_resent and not self._moved_once(handoff.id, found):
            effect = Effect.INFERRED
        shows_it = found is not None and found.active_handoff_id == handoff.id and found.version >= intent.version
        self._run.unit_of_work.apply(
            CreateAnswered(
                handoff,
                intent.version,
                self._run.task.ref,
                found if shows_it else None,
                is_inferred=effect is Effect.INFERRED,
            )
        )
        return Applied(effect, handoff.id, is_version_known=shows_it)

    async def _read_after(self, handoff_id: str, *, reads: int) -> PriorAuthorization | None:
        """Read the authorization after our create: the response to a create does not show its version.

        Return the first read that shows the effect; None if no read does.
        """
        for _ in range(reads):
            result = await self._run.reads.get_authorization(self._run.task.authorization_id)
            if not isinstance(result, Answered):
                continue
            if result.model.active_handoff_id == handoff_id or result.model.version > self._intent.version:
                return result.model
        return None

    def _moved_once(self, handoff_id: str, found: PriorAuthorization | None) -> bool:
        """Whether a read shows that a resent create had one effect; False also without such a read."""
        version = self._intent.version
        if found is not None and found.active_handoff_id == handoff_id and found.version > version + 1:
            self._run.report_double_effect(handoff_id, version, found.version)
            return False
        return found is not None

    def _closed(self, answer: CloseAnswer) -> Ending:
        payload = self._run.task.payload
        if not isinstance(payload, HandoffClose):
            raise TypeError("expected a close command for the response to a close")
        self._run.unit_of_work.apply(CloseAnswered(answer, closer_of(self._run.task, payload)))
        effect = Effect.OURS if self._run.context.contract.if_match_is_honoured else Effect.INFERRED
        return Applied(effect, self._intent.handoff_id)


def request_body(payload: CallerCommand) -> bytes:
    """Return the body of the command's write: always the same bytes (docs/collate-contract.md §5.1, §5.4 to §5.6).

    Raises ValueError if the command writes nothing.
    """
    match payload:
        case HandoffRequest(accepted_review_snapshot_id=accepted):
            return canonical_json({} if accepted is None else {"acceptedReviewSnapshotId": accepted})
        case HandoffClose(result=result):
            return result.body()
        case _:
            raise ValueError("only a request and a close write to Collate")


def _digest(run: CommandRun, body: bytes) -> str:
    return digest(run.context.digest_key, body)[:16].hex()
