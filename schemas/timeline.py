"""The sentence of each entry of a timeline, from the entry's stored public data. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import to_json

from schemas.attempts import Attempt
from schemas.commands import COMMANDS, ShownCommand
from schemas.enums import full_type
from schemas.events import EVENTS
from schemas.public_fields import read_public

ATTEMPT: Final = "attempt"
"""The kind of a call to Collate. An event's kind is its short type."""


def describe(kind: str, data: Mapping[str, Any]) -> str:
    """Return the sentence of an entry; the kind, if this version does not know it or cannot read the data."""
    try:
        if kind == ATTEMPT:
            return Attempt.from_record(to_json(data)).sentence()
        if (event := EVENTS.get(full_type(kind))) is not None:
            return event.from_record(to_json(data)).sentence()
        command = COMMANDS.get(data.get("type", ""))
        if command is not None and issubclass(command, ShownCommand):
            return read_public(command, data).sentence(data["caller"]) + _overtaken(data.get("overtakenBy"))
    except ValidationError:
        pass
    return kind


def _overtaken(by: int | None) -> str:
    void = f" Redrive {by} was requested before, so this decision ends nothing: number {by} counts."
    return "" if by is None else void
