"""The public record of a command's calls to Collate: bounded, without content (docs/decisions/0005)."""

from pydantic import Field

from schemas.fields.scalars import Slug, Word
from schemas.model import Model, Public
from schemas.sentences import in_parentheses
from schemas.times import Time

MOST_ATTEMPTS = 16
_RESULTS = {
    "answered": "succeeded",
    "refused": "rejected",
    "ambiguous": "no definite response",
    "not_sent": "not sent",
}


class Attempt(Model):
    """One call to Collate for a command: the operation and the kind of response, without content."""

    at: Public[Time] = Field(description="When the call began.")
    operation: Public[Word] = Field(description="The operation at Collate.")
    result: Public[Word] = Field(description="answered, refused, ambiguous (Collate may have applied it) or not_sent.")
    status: Public[int | None] = Field(default=None, description="The HTTP status, if there was a response.")
    code: Public[Slug | None] = Field(default=None, description="Collate's error code, or the gateway's own cause.")
    ms: Public[int] = Field(ge=0, description="The duration in milliseconds.")
    write: Public[int | None] = Field(default=None, ge=1, description="The write's number, from 1; absent for a read.")
    request_id: Public[Word | None] = Field(default=None, description="Collate's request id, for support requests.")

    def sentence(self) -> str:
        """Describe the call for a timeline."""
        write = f" (write {self.write})" if self.write else ""
        result = _RESULTS.get(self.result, self.result)
        if write and self.result == "ambiguous":
            result += ", the write may have happened"
        answer = in_parentheses(" ".join(str(part) for part in (self.status, self.code) if part is not None))
        request = f", request id {self.request_id}" if self.request_id else ""
        return f"Called {self.operation}{write}: {result}{answer}, {self.ms} ms{request}."
