"""The response body of `GET /v1/me`: the caller as the gateway knows it. All fields are public."""

from pydantic import Field

from schemas.enums import AssertedBy
from schemas.fields.scalars import Name, Word
from schemas.model import OpenModel, Public


class CallerLimits(OpenModel):
    """The bounds of one caller at one replica of the ingress."""

    requests_per_second: Public[float] = Field(description="The rate of requests.")
    burst: Public[int] = Field(description="The requests that may come at once.")
    streams: Public[int] = Field(description="The event streams that may be open.")
    waiting_requests: Public[int] = Field(description="The requests that may wait (`Prefer: wait`).")
    unfinished_commands: Public[int] = Field(
        description="The accepted commands that may be without an outcome, and as many closes."
    )


class Me(OpenModel):
    """The caller of this request."""

    caller: Public[Name] = Field(description="The caller's name, as records and events have it.")
    kind: Public[AssertedBy] = Field(description="person, or caller for a service.")
    person: Public[Name | None] = Field(
        default=None, description="For a person: the name that the gateway writes as operator."
    )
    permissions: Public[list[Word]] = Field(
        description="What the caller may do. Empty for a person in none of the groups that the gateway knows."
    )
    shadow: Public[bool | None] = Field(
        default=None, description="true: this gateway is a shadow, which sends no write to Collate."
    )
    limits: Public[CallerLimits] = Field(description="The bounds of this caller.")
