"""The records on `dead-letters`: an unfinished command with its original record, and the end of a dead letter.

A dead letter may contain PHI. Invariant: the topic alone, read in order, shows which commands wait for an operator.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

from pydantic import Field, JsonValue

from schemas.enums import PREFIX, Outcome
from schemas.fields.scalars import Advice, CommandId, Name, Slug, Word
from schemas.model import Example, Message, Model, Phi, Public
from schemas.times import Time


class Header(Model):
    """A header of the original record. The value is base64 because it may not be text."""

    name: Phi[str] = Field(description="The header's name.")
    value: Phi[str] = Field(description="The header's bytes in base64.")


class OriginalRecord(Model):
    """The record on `commands`, byte for byte."""

    partition: Public[int] = Field(description="The record's partition.")
    offset: Public[int] = Field(description="The record's offset.")
    value: Phi[str] = Field(description="The record's value in base64.")
    headers: Phi[list[Header]] = Field(description="The record's headers, in order.")

    @classmethod
    def of(cls, partition: int, offset: int, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Self:
        """Return a copy of a Kafka record."""
        return cls(
            partition=partition,
            offset=offset,
            value=_base64(value or b""),
            headers=[Header(name=name, value=_base64(raw)) for name, raw in headers],
        )

    def bytes(self) -> tuple[tuple[tuple[str, bytes], ...], bytes]:
        """Return the original headers and value."""
        return tuple((header.name, b64decode(header.value)) for header in self.headers), b64decode(self.value)


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()


class DeadLetter(Message):
    """A command that waits for an operator. A field is absent if the original record does not contain it."""

    TYPE: ClassVar[str] = f"{PREFIX}dead_letter.v1"
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "command": "collate-gateway.handoff.request.v1",
        "caller": "intake",
        "authorizationId": "auth_7Q2M",
        "acceptedAt": "2026-06-02T14:06:00Z",
        "deadAt": "2026-06-03T14:06:00Z",
        "cause": "outcome_unknown",
        "advice": "Look at the authorization, then redrive or discard.",
        "redrive": 0,
        "intents": [{"operation": "create", "n": 0}],
        "record": {
            "partition": 3,
            "offset": 128,
            "value": "e30=",
            "headers": [{"name": "ce_id", "value": "MmYxYzZkMWU="}],
        },
    }
    open_on_the_wire: ClassVar[bool] = True

    command_id: Public[Word | None] = Field(default=None, description="The command's id.")
    command: Public[Word | None] = Field(default=None, description="The command's type.")
    caller: Public[Name | None] = Field(default=None, description="The caller that sent the command.")
    authorization_id: Phi[str] = Field(
        description="The record's key as text: a Collate id unless the record is broken."
    )
    accepted_at: Public[Time | None] = Field(default=None, description="When the command was accepted.")
    dead_at: Public[Time] = Field(description="When the command was dead-lettered.")
    cause: Public[Slug] = Field(description="The reason why the command could not be finished.")
    advice: Public[Advice | None] = Field(default=None, description="What an operator should check.")
    redrive: Public[int] = Field(default=0, ge=0, description="The number of redrives before this dead letter.")
    intents: Phi[list[dict[str, JsonValue]]] = Field(description="The writes that may have reached Collate.")
    record: Phi[OriginalRecord] = Field(description="The original record.")


def may_have_arrived(write: Mapping[str, JsonValue]) -> bool:
    """Whether a write of `intents`, or one before it, may have had an effect."""
    return "ended" not in write or "maybe" in write


class DeadLetterEnded(Message):
    """The end of a dead letter: a redrive of its command has finished, or an operator discarded it."""

    TYPE: ClassVar[str] = f"{PREFIX}dead_letter_ended.v1"
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "redrive": 1,
        "outcome": "applied",
        "endedAt": "2026-06-04T08:00:00Z",
    }
    open_on_the_wire: ClassVar[bool] = True

    command_id: Public[CommandId] = Field(description="The command's id.")
    redrive: Public[int] = Field(
        default=0, ge=0, description="The redrive that ended it; for a discard, the dead letter's."
    )
    outcome: Public[Outcome] = Field(description="The command's outcome.")
    ended_at: Public[Time] = Field(description="When the dead letter ended.")
