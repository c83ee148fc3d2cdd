"""The records on `dead-letters`: a command that we could not finish, kept whole for a person (may hold PHI); its end.

Invariant: read in order, the topic alone says what still waits for a person.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import ClassVar, Self

from pydantic import Field, JsonValue

from schemas.enums import PREFIX, Outcome
from schemas.field_types import Advice, CommandId, Name, Slug, Word
from schemas.model import Example, Message, Model, Phi, Public
from schemas.times import Time


class Header(Model):
    """A header of the original record; the value is base64, because nothing says that it is text."""

    name: Phi[str] = Field(description="Its name.")
    value: Phi[str] = Field(description="Its bytes in base64.")


class OriginalRecord(Model):
    """The record on `commands`, byte for byte."""

    partition: Public[int] = Field(description="Its partition.")
    offset: Public[int] = Field(description="Its offset.")
    value: Phi[str] = Field(description="Its value in base64.")
    headers: Phi[list[Header]] = Field(description="Its headers, in order.")

    @classmethod
    def of(cls, partition: int, offset: int, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Self:
        """Keep a record as it was read."""
        return cls(
            partition=partition,
            offset=offset,
            value=_base64(value or b""),
            headers=[Header(name=name, value=_base64(raw)) for name, raw in headers],
        )

    def bytes(self) -> tuple[tuple[tuple[str, bytes], ...], bytes]:
        """Return the headers and the value as they were."""
        return tuple((header.name, b64decode(header.value)) for header in self.headers), b64decode(self.value)


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()


class DeadLetter(Message):
    """A command that waits for a person; what could not be read from the record is absent."""

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

    command_id: Public[Word | None] = Field(default=None, description="The command.")
    command: Public[Word | None] = Field(default=None, description="Its type.")
    caller: Public[Name | None] = Field(default=None, description="Who asked.")
    authorization_id: Phi[str] = Field(
        description="The record's key as text; a Collate id unless the record is broken."
    )
    accepted_at: Public[Time | None] = Field(default=None, description="When it was accepted.")
    dead_at: Public[Time] = Field(description="When we gave up.")
    cause: Public[Slug] = Field(description="Why it could not be finished.")
    advice: Public[Advice | None] = Field(default=None, description="What a person should look at.")
    redrive: Public[int] = Field(default=0, ge=0, description="How many times it had been redriven.")
    intents: Phi[list[dict[str, JsonValue]]] = Field(description="The writes that may have reached Collate.")
    record: Phi[OriginalRecord] = Field(description="The original record.")


class DeadLetterEnded(Message):
    """A dead letter waits no more: a redrive of its command has finished, or a person gave it up."""

    TYPE: ClassVar[str] = f"{PREFIX}dead_letter_ended.v1"
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "redrive": 1,
        "outcome": "applied",
        "endedAt": "2026-06-04T08:00:00Z",
    }
    open_on_the_wire: ClassVar[bool] = True

    command_id: Public[CommandId] = Field(description="The command.")
    redrive: Public[int] = Field(default=0, ge=0, description="The redrive that ended it; of a discard, the letter's.")
    outcome: Public[Outcome] = Field(description="How the command ended.")
    ended_at: Public[Time] = Field(description="When.")
