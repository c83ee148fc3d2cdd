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
    asserted_by: Public[AssertedBy] = Field(
        description="Who says that it was this operator: person (the operator's own token) or caller (the service "
        "stated it)."
    )
    caller: Public[Name] = Field(description="The authenticated caller that sent the decision.")
    reason: Public[DecisionReason] = Field(description="The reason.")
    ticket: Public[Ticket | None] = Field(default=None, description="A ticket in the operator's own tracker.")
