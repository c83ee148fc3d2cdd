"""The context of one request: what the middleware establishes and the endpoints read.

The context is the exchange of `gateway.middleware` with the state of the API.
"""

from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from adapters.oidc.jwks import KeysUnavailable
from gateway.ingress.api_http.deadlines import Deadline
from gateway.middleware.exchange import Exchange


@dataclass(slots=True)
class RequestContext(Exchange):
    """One request of the API. Behind `StrictHeaders` a repeated header is one joined value.

    Attributes:
        deadline: The time by which the response must start.
        unchecked: Why the token of the request could not be checked; None if it was, or if there is none.
        caller: The name of the admitted caller, for the log line.
        is_reading_body: True while the request waits for its body, so that a timeout is the caller's.
        log_fields: Further fields of the request's log line: ids and slugs, never content.
        trace_link: The traceparent of the earlier work that the request resumes.
    """

    deadline: Deadline = field(init=False)
    unchecked: KeysUnavailable | None = None
    caller: str | None = None
    is_reading_body: bool = False
    log_fields: dict[str, Any] = field(default_factory=dict)
    trace_link: str | None = None


def context_of(scope: Scope) -> RequestContext:
    """Return the context of a request."""
    context: RequestContext = scope["state"]["context"]
    return context
