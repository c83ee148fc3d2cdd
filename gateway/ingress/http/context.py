"""The context of one request: what the middleware establishes and the endpoints read.

`RequestIds` creates the context in Starlette's `scope["state"]`. It belongs to the request's task and ends with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from adapters.oidc.jwks import KeysUnavailable
from gateway.ingress.http.deadlines import Deadline


@dataclass(slots=True)
class RequestContext:
    """One request.

    Attributes:
        headers: The request's headers by lower-case name. Behind `StrictHeaders` a repeated header is one joined value.
        deadline: The time by which the response must start.
        status: The status of the response, once it has started.
        unchecked: Why the token of the request could not be checked; None if it was, or if there is none.
        caller: The name of the admitted caller, for the log line.
        is_reading_body: True while the request waits for its body, so that a timeout is the caller's.
        on_start: Functions to call when the response starts.
        on_release: Functions that `release` calls when the request is no longer in flight.
        log_fields: Further fields of the request's log line: ids and slugs, never content.
        trace_link: The traceparent of the earlier work that the request resumes.
    """

    request_id: str
    headers: dict[bytes, bytes]
    deadline: Deadline = field(init=False)
    status: int | None = None
    unchecked: KeysUnavailable | None = None
    caller: str | None = None
    is_reading_body: bool = False
    on_start: list[Callable[[], None]] = field(default_factory=list)
    on_release: list[Callable[[], None]] = field(default_factory=list)
    log_fields: dict[str, Any] = field(default_factory=dict)
    trace_link: str | None = None

    def release(self) -> None:
        """Free the places of the request. A second call does nothing."""
        callbacks, self.on_release = self.on_release, []
        for callback in callbacks:
            callback()


def context_of(scope: Scope) -> RequestContext:
    """Return the context of a request."""
    context: RequestContext = scope["state"]["context"]
    return context


def route_label(scope: Scope) -> str:
    """Return the path template of the route that serves the request; `unmatched` for 404 and 405 of the table."""
    route = scope.get("route")
    return "unmatched" if route is None else str(route.path)
