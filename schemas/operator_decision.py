"""What is told of an operator's word on a dead letter: who and why, in words that are nobody's health data.

Free text stays in the record on `commands` (docs/decisions/0006).
"""

from pydantic import Field

from schemas.enums import DecisionReason
from schemas.field_types import Name, Ticket
from schemas.model import Model, Public


class OperatorDecision(Model):
    """Who redrove or discarded a command, and why."""

    requested_by: Public[Name] = Field(description="Who asked.")
    reason: Public[DecisionReason | None] = Field(
        default=None, description="Why; absent where an older version of the gateway was asked."
    )
    ticket: Public[Ticket | None] = Field(default=None, description="Where more is written, in their own tracker.")
