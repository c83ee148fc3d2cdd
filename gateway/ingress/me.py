"""GET /v1/me: who the caller is, and what the caller may do. It needs no permission, so it answers that question."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.http.query import read_query
from gateway.ingress.http.responses import ModelResponse
from runtime.settings import IngressSettings
from schemas.api.me import CallerLimits, Me
from schemas.api.queries import Query
from schemas.callers import asserted_by


class WhoAmI:
    """The endpoint."""

    def __init__(self, access: AccessControl, settings: IngressSettings) -> None:
        self._access = access
        self._settings = settings

    async def me(self, request: Request) -> Response:
        """GET /v1/me."""
        caller = self._access.admit(request)
        read_query(request, Query)
        rate, burst = self._access.limits(caller)
        limits = CallerLimits(
            requests_per_second=rate,
            burst=int(burst),
            streams=self._settings.max_streams_per_caller,
            waiting_requests=self._settings.max_waiters_per_caller,
        )
        return ModelResponse(
            Me(
                caller=caller.name,
                kind=asserted_by(caller.name),
                person=caller.person,
                permissions=sorted(caller.permissions),
                limits=limits,
            )
        )
