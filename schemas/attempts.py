"""What is told of the calls that a command took: bounded, and nothing that anybody wrote (docs/decisions/0005)."""

from pydantic import Field

from schemas.field_types import Slug, Word
from schemas.model import Model, Public
from schemas.times import Time

MOST_ATTEMPTS = 16


class Attempt(Model):
    """One call to Collate for a command: what was called and what kind of answer came, nothing of its content."""

    at: Public[Time] = Field(description="When it began.")
    operation: Public[Word] = Field(description="Which call.")
    result: Public[Word] = Field(description="answered, refused, ambiguous (may have been done) or not_sent.")
    status: Public[int | None] = Field(default=None, description="The HTTP status, if one came.")
    code: Public[Slug | None] = Field(default=None, description="Collate's code for a refusal, else our cause.")
    ms: Public[int] = Field(ge=0, description="How long it took, in milliseconds.")
    write: Public[int | None] = Field(
        default=None, ge=1, description="Which write of the command it was; absent for a read."
    )
    request_id: Public[Word | None] = Field(default=None, description="Collate's id of the request, to quote there.")
