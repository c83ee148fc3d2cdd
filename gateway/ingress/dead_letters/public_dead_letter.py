"""A dead letter as operators see it: public fields of its command, of its writes and of Collate's state. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from gateway.ingress.dead_letters.actions import original_of
from gateway.ingress.dead_letters.index import IndexEntry
from gateway.ingress.live.public_situation import facts_of
from gateway.ingress.live.situations import Situation
from schemas.api.dead_letters import DeadLetterDetail, DeadLetterSituation, DeadLetterWrite
from schemas.api.situations import HandoffNow
from schemas.commands import COMMANDS, Original
from schemas.dead_letter import DeadLetter, may_have_arrived
from schemas.fields.scalars import word
from schemas.identity import canonical_json
from schemas.public_fields import public_fields
from schemas.records import UnreadableRecord
from schemas.sealing import Keys


def detail(entry: IndexEntry, dead_letter: DeadLetter, keys: Keys) -> DeadLetterDetail:
    """Return the public fields of a dead letter."""
    return DeadLetterDetail(
        **dict(entry.summary),
        asks=_public_command(original_of(dead_letter, keys)),
        sent=[_write(intent) for intent in dead_letter.intents],
        partition=dead_letter.record.partition,
        offset=dead_letter.record.offset,
    )


def _public_command(original: Original | UnreadableRecord) -> dict[str, Any] | None:
    if isinstance(original, UnreadableRecord):
        return None
    try:
        data = COMMANDS[original.type].from_record(canonical_json(original.data))
    except (ValidationError, ValueError):
        return None
    return public_fields(data)


def _write(intent: Mapping[str, Any]) -> DeadLetterWrite:
    ended, sent_at = intent.get("ended"), intent.get("first_sent_at")
    return DeadLetterWrite(
        n=intent["n"],
        operation=word(str(intent["operation"])),
        handoff_id=intent.get("handoff_id"),
        if_match=intent.get("if_match"),
        first_sent_at=None if sent_at is None else datetime.fromtimestamp(sent_at, UTC),
        ended=None if ended is None else word(str(ended)),
        may_have_arrived=may_have_arrived(intent),
    )


def situation(command_id: str, found: Situation) -> DeadLetterSituation:
    """Return the state of a dead letter's authorization at Collate."""
    handoff, snapshot = found.handoff, found.authorization.review_snapshot
    handoff_now = None
    if found.handoff_id is not None:
        handoff_now = HandoffNow(
            id=found.handoff_id,
            state=handoff.state if handoff else None,
            result=handoff.result if handoff else None,
            version=handoff.version if handoff else None,
        )
    return DeadLetterSituation(
        command_id=command_id,
        **facts_of(found),
        review_snapshot_id=snapshot.id if snapshot else None,
        review_snapshot_status=snapshot.status if snapshot else None,
        handoff=handoff_now,
    )
