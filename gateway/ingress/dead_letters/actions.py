"""A redrive or a discard as a record of `commands`: who, why, and of a redrive the command and its last write.

Its id follows from the command and the number of the redrive, so that asking again asks for nothing new: the worker
takes up each number once. Invariant: what is appended is the letter that the operator saw.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from gateway.ingress.commands.publisher import Appends, NotAppended
from gateway.ingress.commands.service import refusal, traceparent
from gateway.ingress.http.exchange import Exchange
from gateway.ingress.http.problems import NotRedrivable
from schemas.api.dead_letters import DeadLetterDecision
from schemas.commands import PUBLIC_COMMANDS, Discard, Original, Redrive
from schemas.dead_letter import DeadLetter
from schemas.enums import CommandType
from schemas.identity import request_id
from schemas.records import RecordedCommand, UnreadableRecord, read_command, write_command
from schemas.times import format_time
from schemas.topics import partition_for


@dataclass(frozen=True, slots=True)
class Addressed:
    """A letter's command and authorization."""

    command_id: str
    authorization_id: str


def original_of(letter: DeadLetter) -> Original | None:
    """Return the command as the caller sent it, also from a letter that a redrive left; None if it is unreadable."""
    headers, value = letter.record.bytes()
    accepted = read_command(headers, value)
    if isinstance(accepted, UnreadableRecord):
        return None
    if isinstance(accepted.data, Redrive):
        return accepted.data.command
    if accepted.data.TYPE not in PUBLIC_COMMANDS:
        return None
    try:
        data: dict[str, Any] = json.loads(value)
        return Original(
            type=CommandType(accepted.data.TYPE), caller=accepted.caller, accepted_at=accepted.accepted_at, data=data
        )
    except (ValueError, ValidationError):
        return None


def trace_of(letter: DeadLetter) -> str | None:
    """Return the traceparent that the letter's record was written under."""
    headers, _ = letter.record.bytes()
    return next((str(value, "latin-1") for name, value in headers if name == "traceparent"), None)


def redrive_of(command_id: str, letter: DeadLetter, decision: DeadLetterDecision) -> Redrive:
    """Return the redrive of a letter; raises NotRedrivable."""
    original = original_of(letter)
    if original is None:
        raise NotRedrivable("The command's record can't be read. Discard it, and have its caller ask again.")
    return Redrive(
        command_id=command_id,
        redrive=letter.redrive + 1,
        requested_by=decision.operator,
        reason=decision.reason,
        ticket=decision.ticket,
        why=decision.why,
        command=original,
        intent=letter.intents[-1] if letter.intents else None,
    )


class DeadLetterActions:
    """Appends them."""

    def __init__(self, publisher: Appends, *, source: str, partitions: int) -> None:
        self._publisher = publisher
        self._source = source
        self._partitions = partitions

    async def append(self, exchange: Exchange, to: Addressed, caller: str, request: Redrive | Discard, of: int) -> str:
        """Put the request on record and return when, as an RFC 3339 time; `of` is the letter's redrive number.

        Raises Unavailable problems where it is not known to be kept.
        """
        now = datetime.now(UTC)
        accepted_at = now.replace(microsecond=now.microsecond // 1_000 * 1_000)
        record_id, number = _identity(to, request, of)
        headers, value = write_command(
            RecordedCommand(
                id=record_id,
                caller=caller,
                authorization_id=to.authorization_id,
                accepted_at=accepted_at,
                data=request,
                redrive=number,
                traceparent=traceparent(exchange),
            ),
            self._source,
        )
        key = to.authorization_id.encode()
        written = await self._publisher.append(partition_for(key, self._partitions), key, value, headers)
        if isinstance(written, NotAppended):
            raise refusal(written)
        exchange.facts.fields |= {"record_id": record_id, "partition": written.partition, "offset": written.offset}
        return format_time(accepted_at)


def _identity(to: Addressed, request: Redrive | Discard, of: int) -> tuple[str, int]:
    if isinstance(request, Redrive):
        return request_id("redrive", to.command_id, request.redrive), request.redrive
    return request_id("discard", to.command_id, of), 0
