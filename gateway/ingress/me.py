"""GET /v1/me: who the caller is, and what the caller may do. It needs no permission, so it answers that question."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.api_http.query import read_query
from gateway.ingress.api_http.responses import ModelResponse
from gateway.ingress.auth.permissions import AccessControl
from runtime.settings import IngressSettings
from schemas.api.me import CallerLimits, Me
from schemas.api.queries import Query
from schemas.callers import asserted_by
from schemas.enums import AssertedBy


class WhoAmI:
    """The endpoint."""

    def __init__(self, access: AccessControl, settings: IngressSettings, *, is_shadow: bool) -> None:
        self._access = access
        self._settings = settings
        self._is_shadow = is_shadow

    async def me(self, request: Request) -> Response:
        """GET /v1/me."""
        caller = self._access.admit(request)
        read_query(request, Query)
        rate, burst = self._access.limits(caller)
        own, kind = self._settings, asserted_by(caller.name)
        is_person = kind is AssertedBy.PERSON
        limits = CallerLimits(
            requests_per_second=rate,
            burst=int(burst),
            streams=own.max_streams_per_caller,
            waiting_requests=own.max_waiters_per_caller,
            unfinished_commands=own.max_unfinished_per_person if is_person else own.max_unfinished_per_caller,
        )
        return ModelResponse(
            Me(
                caller=caller.name,
                kind=kind,
                person=caller.person,
                permissions=sorted(caller.permissions),
                shadow=self._is_shadow or None,
                limits=limits,
            )
        )
