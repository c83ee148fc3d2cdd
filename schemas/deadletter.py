"""The record on `dead-letters`: a command that we could not finish, kept whole for a person; may hold PHI."""

from typing import ClassVar

from pydantic import Field, JsonValue

from schemas.model import Model, Phi, Public
from schemas.times import Time
from schemas.words import Advice, Name, Slug, Word


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


class DeadLetter(Model):
    """A command that waits for a person; what could not be read from the record is absent."""

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
