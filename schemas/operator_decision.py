"""The public part of an operator's decision about a dead letter.

Free text stays in the record on `commands` (docs/decisions/0006).
"""

from pydantic import Field

from schemas.enums import AssertedBy, DecisionReason
from schemas.fields.scalars import Name, Ticket
from schemas.model import Model, Public


class OperatorDecision(Model):
    """The operator who redrove or discarded a command, and the reason."""

    requested_by: Public[Name] = Field(description="The operator who decided.")
    asserted_by: Public[AssertedBy | None] = Field(
        default=None,
        description="Who says that it was this operator: person (the operator's own token) or caller (the service "
        "stated it). Absent in older events.",
    )
    caller: Public[Name | None] = Field(
        default=None, description="The authenticated caller that sent the decision; absent in older events."
    )
    reason: Public[DecisionReason | None] = Field(default=None, description="Absent in decisions of older versions.")
    ticket: Public[Ticket | None] = Field(default=None, description="A ticket in the operator's own tracker.")
