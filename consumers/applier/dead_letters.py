"""Dead letters: the records of the `dead-letters` topic that open and end them. Pure.

A dead letter contains what an operator needs for a decision, and what a redrive needs for the next write.
"""

from typing import Any, Final

from consumers.applier.task import CommandTask, InvalidRecord
from consumers.authorization.event_factory import at
from consumers.authorization.recent_commands import digest_prefix
from consumers.authorization.state import AmbiguousWrite, CommandWork, EndedIntent, Intent, OpenDeadLetter
from consumers.engine import Failure, Record
from schemas.dead_letter import DeadLetter, DeadLetterEnded, OriginalRecord, may_have_arrived
from schemas.enums import Effect, Outcome
from schemas.events import CommandDeadLettered
from schemas.events.reasons import DeadLetterCause
from schemas.fields.scalars import word

# Neither a deployment nor a change at Collate can be the cause, so these do not count towards the share of dead letters
# above which a partition stops. After a long outage of Collate every waiting command is too old.
NOT_COUNTED: Final = frozenset({DeadLetterCause.RECORD_LOST, DeadLetterCause.TOO_OLD})

# The worker cannot read the command of these, so it keeps no id of it among the recent commands.
UNREAD: Final = frozenset({DeadLetterCause.INVALID_RECORD, DeadLetterCause.UNDECRYPTABLE, DeadLetterCause.RECORD_LOST})

# A write of these may have had an effect, whatever their writes show. For the other causes the writes say it.
UNRESOLVED: Final = frozenset({DeadLetterCause.OUTCOME_UNKNOWN, DeadLetterCause.RECORD_LOST})


def failure(cause: DeadLetterCause) -> Failure:
    """Return what the engine counts of a dead letter."""
    return Failure(cause.value, cause not in NOT_COUNTED)


def dead_letter(
    task: CommandTask, cause: DeadLetterCause, record: Record, now: float, writes: list[dict[str, Any]]
) -> DeadLetter:
    """Return the dead letter of a command; `writes` are its `intents`."""
    return DeadLetter(
        command_id=task.command_id,
        command=task.type.value,
        caller=task.caller,
        authorization_id=task.authorization_id,
        accepted_at=at(task.accepted_at),
        dead_at=at(now),
        cause=cause.value,
        advice=cause.advice,
        redrive=task.redrive,
        intents=writes,
        record=OriginalRecord.of(record.partition, record.offset, record.headers, record.value),
    )


def invalid_record(
    invalid: InvalidRecord, command_id: str, record: Record, now: float, work: CommandWork | None
) -> DeadLetter:
    """Return the dead letter of an unreadable record; its event has the same id. `work` are the writes so far."""
    cause = cause_of(invalid)
    return DeadLetter(
        command_id=command_id,
        command=_word(invalid.command),
        caller=_name(invalid.caller),
        authorization_id=record.key.decode("utf-8", "replace"),
        accepted_at=None if invalid.accepted_at is None else at(invalid.accepted_at),
        dead_at=at(now),
        cause=cause.value,
        advice=cause.advice,
        redrive=invalid.redrive,
        intents=intents(work, work.ambiguous if work else None),
        record=OriginalRecord.of(record.partition, record.offset, record.headers, record.value),
    )


def cause_of(invalid: InvalidRecord) -> DeadLetterCause:
    """Return why an unreadable record is a dead letter."""
    return DeadLetterCause.UNDECRYPTABLE if invalid.is_sealed else DeadLetterCause.INVALID_RECORD


def lost_record(work: CommandWork, key: bytes, now: float) -> DeadLetter:
    """Return the dead letter of a write without its command record: it contains the writes alone."""
    cause = DeadLetterCause.RECORD_LOST
    return DeadLetter(
        command_id=work.command_id,
        command=work.command,
        caller=work.caller,
        authorization_id=key.decode("utf-8", "replace"),
        dead_at=at(now),
        cause=cause.value,
        advice=cause.advice,
        redrive=work.redrive,
        intents=intents(work, work.ambiguous),
        record=OriginalRecord.of(-1, -1, (), None),
    )


def opened(
    event: CommandDeadLettered,
    now: float,
    first: str | None,
    before: OpenDeadLetter | None,
    digest: bytes | None = None,
) -> OpenDeadLetter:
    """Return what the state keeps of a dead letter. Of an unreadable command it keeps what `before` shows of it.

    `before` is the earlier dead letter of the same command, which a redrive did not end.
    """
    return OpenDeadLetter(
        redrive=event.redrive or 0,
        at=now,
        command=event.command.value,
        caller=event.caller,
        digest=digest_prefix(digest).hex() if digest else before and before.digest,
        metadata=event.metadata or (before and before.metadata),
        first=None if first == event.command_id else first,
        shared_digest=event.digest or (before and before.shared_digest),
        effect=(event.effect or Effect.UNKNOWN).value,
    )


def effect_of(record: DeadLetter, before: OpenDeadLetter | None) -> Effect:
    """Return whether a write so far may have changed Collate: `unknown` or `none`.

    A dead letter of the same command `before` shows the writes that a redrive gave up, or that cannot be decrypted.
    """
    if record.cause in UNRESOLVED or any(map(may_have_arrived, record.intents)):
        return Effect.UNKNOWN
    return Effect.NONE if before is None else Effect(before.effect)


def ended(command_id: str, redrive: int, outcome: Outcome, now: float) -> DeadLetterEnded:
    """Return the record that ends a dead letter: by this redrive, or by the discard of this number."""
    return DeadLetterEnded(command_id=command_id, redrive=redrive, outcome=outcome, ended_at=at(now))


def intents(work: CommandWork | None, ambiguous: AmbiguousWrite | None) -> list[dict[str, Any]]:
    """Return all writes so far, the current one last; each names the first ambiguous write, if any."""
    if work is None:
        return []
    writes: list[EndedIntent | Intent] = [*work.ended_intents, *([work.intent] if work.intent else [])]
    shown = [write.model_dump(mode="json", exclude_none=True) for write in writes]
    if ambiguous is not None:
        for write in shown:
            write["maybe"] = ambiguous.model_dump(mode="json")
    return shown


def _word(value: str | None) -> str | None:
    return value if value is not None and word(value) == value else None


def _name(value: str | None) -> str | None:
    return value if value is not None and len(value) <= 128 and value.isprintable() and value else None
