"""The public part of an operator's decision about a dead letter.

Free text stays in the record on `commands` (docs/decisions/0006).
"""

from pydantic import Field

from schemas.enums import DecisionReason
from schemas.field_types import Name, Ticket
from schemas.model import Model, Public


class OperatorDecision(Model):
    """The operator who redrove or discarded a command, and the reason."""

    requested_by: Public[Name] = Field(description="The operator who decided, as the caller stated.")
    caller: Public[Name | None] = Field(
        default=None, description="The authenticated caller that sent the decision; absent in older events."
    )
    reason: Public[DecisionReason | None] = Field(default=None, description="Absent in decisions of older versions.")
    ticket: Public[Ticket | None] = Field(default=None, description="A ticket in the operator's own tracker.")
