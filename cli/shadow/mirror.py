"""The lines of a mirror: on each line, as JSON, one command that another way of working has sent to Collate. Pure.

{"time": "2026-06-02T14:06:00Z", "caller": "intake", "type": "handoff.close", "authorizationId": "auth_7Q2M",
 "data": {"handoffId": "mhand_55", "result": {"type": "completed", "reportedOutcome": "submitted"}}}

`id`, if the mirror knows one, identifies the command. Without it the digest of the line does.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pydantic import JsonValue, ValidationError

from schemas.api.faults import faults
from schemas.enums import full_type
from schemas.fields.scalars import METADATA_PAIRS, Id, MetadataValue
from schemas.model import Model, Phi, Public
from schemas.times import Time

CALLER_KEY: Final = "mirrored-caller"
"""The metadata with the name of the caller. The gateway's own caller is the feed."""


class _Line(Model):
    time: Public[Time]
    caller: Public[MetadataValue]
    type: Public[Literal["handoff.request", "handoff.close", "authorization.watch"]]
    authorization_id: Public[Id]
    data: Phi[dict[str, JsonValue] | None] = None
    id: Public[MetadataValue | None] = None


@dataclass(frozen=True, slots=True)
class MirroredCommand:
    """A command of a mirror. `id` is the same for the same line; `at` is when the other way of working sent it."""

    id: str
    at: datetime
    type: str
    authorization_id: str
    data: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class UnusableLine:
    """A line that has no command. `expected` repeats nothing of the line."""

    expected: str


def read_line(text: bytes) -> MirroredCommand | UnusableLine:
    """Read one line."""
    try:
        line = _Line.from_caller(text)
    except ValidationError as error:
        return UnusableLine(
            "; ".join(f"{fault.pointer or 'line'}: expected {fault.expected}" for fault in faults(error))
        )
    data = line.data or {}
    metadata = data.get("metadata") or {}
    if not isinstance(metadata, dict) or len(metadata) >= METADATA_PAIRS:
        return UnusableLine(f"/data/metadata: expected an object of at most {METADATA_PAIRS - 1} pairs")
    return MirroredCommand(
        id=line.id or hashlib.sha256(text.strip()).hexdigest(),
        at=line.time,
        type=full_type(line.type),
        authorization_id=line.authorization_id,
        data={**data, "metadata": {**metadata, CALLER_KEY: line.caller}},
    )
