"""The read routes of an installation without a read model: an authenticated caller gets the problem NoReadModel."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.api_http.api_problems import NoReadModel
from gateway.ingress.auth.permissions import AccessControl


class NoReads:
    """The endpoints. They import no database client."""

    def __init__(self, access: AccessControl) -> None:
        self._access = access

    async def _reject(self, request: Request) -> Response:
        self._access.identify(request)
        raise NoReadModel("Follow GET /v1/events, or send commands with `Prefer: wait`.")

    command = authorization = timeline = handoffs = overview = authorizations = commands = troubles = ids = _reject
