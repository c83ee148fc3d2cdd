"""What an operator is shown of a letter: public fields of what it asks, of what was sent, and Collate's. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from gateway.ingress.dead_letters.actions import original_of
from gateway.ingress.dead_letters.index import IndexEntry
from gateway.ingress.live.situations import Situation
from schemas.api.dead_letters import DeadLetterDetail, DeadLetterSituation, DeadLetterWrite, HandoffNow
from schemas.commands import COMMANDS
from schemas.dead_letter import DeadLetter
from schemas.field_types import word
from schemas.identity import canonical_json
from schemas.public_fields import public_json


def detail(entry: IndexEntry, letter: DeadLetter) -> DeadLetterDetail:
    """Return all that is public of a letter."""
    shown = dict(entry.summary)
    return DeadLetterDetail(
        **shown,
        asks=_asks(letter),
        sent=[_write(one) for one in letter.intents],
        partition=letter.record.partition,
        offset=letter.record.offset,
    )


def _asks(letter: DeadLetter) -> dict[str, Any] | None:
    original = original_of(letter)
    if original is None:
        return None
    try:
        data = COMMANDS[original.type].from_record(canonical_json(original.data))
    except (ValidationError, ValueError):
        return None
    asks: dict[str, Any] = json.loads(public_json(data))
    return asks


def _write(write: Mapping[str, Any]) -> DeadLetterWrite:
    ended, sent_at = write.get("ended"), write.get("first_sent_at")
    return DeadLetterWrite(
        n=write["n"],
        operation=word(str(write["operation"])),
        handoff_id=write.get("handoff_id"),
        if_match=write.get("if_match"),
        first_sent_at=None if sent_at is None else datetime.fromtimestamp(sent_at, UTC),
        ended=None if ended is None else word(str(ended)),
        may_have_arrived=ended is None or "maybe" in write,
    )


def situation(command_id: str, found: Situation) -> DeadLetterSituation:
    """Return how a letter's authorization is."""
    it, handoff = found.authorization, found.handoff
    action, snapshot = it.next_action, it.review_snapshot
    now = None
    if found.handoff_id is not None:
        now = HandoffNow(
            id=found.handoff_id,
            state=handoff.state if handoff else None,
            result=handoff.result if handoff else None,
            version=handoff.version if handoff else None,
        )
    return DeadLetterSituation(
        command_id=command_id,
        at=datetime.now(UTC),
        authorization_id=it.id,
        version=it.version,
        status=it.status,
        outcome=it.outcome,
        next_action=action.type if action else None,
        resolution=action.resolution.kind if action and action.resolution else None,
        covers_review_snapshot_id=it.covers_review_snapshot_id,
        review_snapshot_id=snapshot.id if snapshot else None,
        review_snapshot_status=snapshot.status if snapshot else None,
        receipt_seen=it.receipt_seen,
        decision_seen=it.decision_seen,
        active_handoff_id=it.active_handoff_id,
        handoff=now,
    )
