"""Dead letters: what a person, and a redrive, must find in one. Pure."""

from typing import Any

from consumers.applier.outcome import DeadLettered
from consumers.applier.reasons import DeadLetterCause
from consumers.applier.task import CommandTask, Invalid
from consumers.authorization.event_factory import at
from consumers.authorization.state import AmbiguousWrite, CommandWork, EndedIntent, Intent
from consumers.engine import Record
from schemas.dead_letter import DeadLetter, DeadLetterEnded, OriginalRecord
from schemas.enums import Outcome
from schemas.field_types import word


def letter(
    job: CommandTask, ending: DeadLettered, record: Record, now: float, writes: list[dict[str, Any]]
) -> DeadLetter:
    """Return the dead letter of a command; `writes` are its `intents`."""
    return DeadLetter(
        command_id=job.command_id,
        command=job.type.value,
        caller=job.caller,
        authorization_id=job.authorization_id,
        accepted_at=at(job.accepted_at),
        dead_at=at(now),
        cause=ending.cause.value,
        advice=ending.cause.advice,
        redrive=job.redrive,
        intents=writes,
        record=OriginalRecord.of(record.partition, record.offset, record.headers, record.value),
    )


def broken_letter(invalid: Invalid, command_id: str, ending: DeadLettered, record: Record, now: float) -> DeadLetter:
    """Return the dead letter of a record that is no command, under the id that its event has too."""
    return DeadLetter(
        command_id=command_id,
        command=_word(invalid.command),
        caller=_name(invalid.caller),
        authorization_id=record.key.decode("utf-8", "replace"),
        accepted_at=None if invalid.accepted_at is None else at(invalid.accepted_at),
        dead_at=at(now),
        cause=ending.cause.value,
        advice=ending.cause.advice,
        redrive=invalid.redrive,
        intents=[],
        record=OriginalRecord.of(record.partition, record.offset, record.headers, record.value),
    )


def orphan_letter(
    work: CommandWork, key: bytes, cause: DeadLetterCause, now: float, writes: list[dict[str, Any]]
) -> DeadLetter:
    """Return the dead letter of a write whose command record is gone: only the writes are left."""
    return DeadLetter(
        command_id=work.command_id,
        command=work.command,
        caller=work.caller,
        authorization_id=key.decode("utf-8", "replace"),
        dead_at=at(now),
        cause=cause.value,
        advice=cause.advice,
        redrive=work.redrive,
        intents=writes,
        record=OriginalRecord.of(-1, -1, (), None),
    )


def ended_letter(command_id: str, redrive: int, outcome: Outcome, now: float) -> DeadLetterEnded:
    """Return what says that a dead letter waits no more."""
    return DeadLetterEnded(command_id=command_id, redrive=redrive, outcome=outcome, ended_at=at(now))


def intents(work: CommandWork | None, maybe: AmbiguousWrite | None) -> list[dict[str, Any]]:
    """Return every write so far, one in flight last; each with the first that may have been applied, if any."""
    if work is None:
        return []
    writes: list[EndedIntent | Intent] = [*work.past, *([work.intent] if work.intent else [])]
    return [_shown(write, maybe) for write in writes]


def _shown(write: EndedIntent | Intent, maybe: AmbiguousWrite | None) -> dict[str, Any]:
    shown = write.model_dump(mode="json", exclude_none=True)
    if maybe is not None:
        shown["maybe"] = maybe.model_dump(mode="json")
    return shown


def _word(value: str | None) -> str | None:
    return value if value is not None and word(value) == value else None


def _name(value: str | None) -> str | None:
    return value if value is not None and len(value) <= 128 and value.isprintable() and value else None
