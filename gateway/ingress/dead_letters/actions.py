"""A redrive or a discard as a record of `commands`. It names the operator and the reason.

A redrive also holds the original command and its last write. The id of the record derives from the command and the
number of the redrive. So a repeated request is the same record, and the worker applies each number once.
Invariant: the record describes the dead letter that the operator saw.
"""

import json
from datetime import datetime
from typing import Any

from gateway.ingress.api_http.api_problems import NotRedrivable
from gateway.ingress.api_http.context import RequestContext
from gateway.ingress.api_http.request import traceparent
from gateway.ingress.commands.appending import NotAppended
from gateway.ingress.commands.command_log import CommandLog, acceptance_time, problem_of_append
from schemas.api.dead_letters import DeadLetterDecision
from schemas.commands import CALLER_COMMANDS, Discard, Original, Redrive
from schemas.dead_letter import DeadLetter
from schemas.enums import CommandType
from schemas.identity import request_id
from schemas.records import RecordedCommand, UndecryptableRecord, UnreadableRecord, read_command
from schemas.sealing import Keys


def original_of(dead_letter: DeadLetter, keys: Keys) -> Original | UnreadableRecord:
    """Return the caller's command, also for the dead letter of a redrive, or why there is none."""
    accepted = _record_of(dead_letter, keys)
    if isinstance(accepted, UnreadableRecord):
        return accepted
    if isinstance(accepted.data, Redrive):
        return accepted.data.command
    if accepted.data.TYPE not in CALLER_COMMANDS:
        return UnreadableRecord("type: expected a command of a caller")
    return Original(
        type=CommandType(accepted.data.TYPE),
        caller=accepted.caller,
        accepted_at=accepted.accepted_at,
        data=json.loads(accepted.data.to_json()),
        own_handoffs=accepted.own_handoffs or None,
    )


def _record_of(dead_letter: DeadLetter, keys: Keys) -> RecordedCommand | UnreadableRecord:
    return read_command(*dead_letter.record.bytes(), keys)


def _last_write(dead_letter: DeadLetter, keys: Keys) -> dict[str, Any] | None:
    """Return the last write so far. A redrive that the worker could not decrypt has only those before it."""
    if dead_letter.intents:
        return dead_letter.intents[-1]
    accepted = _record_of(dead_letter, keys)
    if isinstance(accepted, UnreadableRecord) or not isinstance(accepted.data, Redrive):
        return None
    return accepted.data.intent


def traceparent_of(dead_letter: DeadLetter) -> str | None:
    """Return the traceparent of the dead letter's record."""
    headers, _ = dead_letter.record.bytes()
    return next((str(value, "latin-1") for name, value in headers if name == "traceparent"), None)


def not_redrivable(found: UnreadableRecord | None = None) -> NotRedrivable:
    """Return the problem of a dead letter whose command is unreadable."""
    if isinstance(found, UndecryptableRecord):
        return NotRedrivable(
            f"The command can't be decrypted ({found.problem}). Add the missing key to the ingress and the worker. "
            "If the key is lost, discard the command, and ask its caller to send it again."
        )
    return NotRedrivable("The command's record can't be read. Discard it, and ask its caller to send it again.")


def redrive_of(
    command_id: str, dead_letter: DeadLetter, decision: DeadLetterDecision, operator: str, keys: Keys
) -> Redrive:
    """Return the redrive of a dead letter. Raises NotRedrivable."""
    original = original_of(dead_letter, keys)
    if isinstance(original, UnreadableRecord):
        raise not_redrivable(original)
    return Redrive(
        command_id=command_id,
        redrive=dead_letter.redrive + 1,
        requested_by=operator,
        reason=decision.reason,
        ticket=decision.ticket,
        why=decision.why,
        command=original,
        intent=_last_write(dead_letter, keys),
    )


def discard_of(command_id: str, decision: DeadLetterDecision, operator: str) -> Discard:
    """Return the discard of a dead letter."""
    return Discard(
        command_id=command_id,
        redrive=decision.redrive,
        requested_by=operator,
        reason=decision.reason,
        ticket=decision.ticket,
        why=decision.why,
    )


class DeadLetterActions:
    """Appends redrives and discards."""

    def __init__(self, commands: CommandLog) -> None:
        self._commands = commands

    async def append(
        self, context: RequestContext, authorization_id: str, caller: str, action: Redrive | Discard
    ) -> datetime:
        """Append the action and return its acceptance time.

        Raises an Unavailable problem if the action is not known to be in the topic.
        """
        accepted_at, number = acceptance_time(), action.redrive or 0
        verb = "redrive" if isinstance(action, Redrive) else "discard"
        record_id = request_id(verb, action.command_id, number)
        record = self._commands.serialize(
            RecordedCommand(
                id=record_id,
                caller=caller,
                authorization_id=authorization_id,
                accepted_at=accepted_at,
                data=action,
                redrive=number if isinstance(action, Redrive) else 0,
                traceparent=traceparent(context),
            )
        )
        result = await self._commands.append(record)
        if isinstance(result, NotAppended):
            raise problem_of_append(result)
        context.log_fields |= {"record_id": record_id, "partition": result.partition, "offset": result.offset}
        return accepted_at
