"""The read routes of an installation without a read model: an authenticated caller gets the problem NoReadModel."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.api_http.api_problems import NoReadModel
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.own_parts import OwnParts
from schemas.permissions import Permission

_INSTEAD: Final = "Follow GET /v1/events, or send commands with `Prefer: wait`."


class NoReads:
    """The endpoints. They import no database client."""

    def __init__(self, access: AccessControl, parts: OwnParts) -> None:
        self._access = access
        self._parts = parts

    async def overview(self, request: Request) -> Response:
        """GET /v1/overview: the problem names the parts of the gateway that do not work, with `authorization:read`."""
        if Permission.AUTHORIZATION_READ not in self._access.identify(request).permissions:
            raise NoReadModel(_INSTEAD)
        faults, _ = await self._parts.look()
        raise NoReadModel(_INSTEAD, members={"faults": [*faults]})

    async def _reject(self, request: Request) -> Response:
        self._access.identify(request)
        raise NoReadModel(_INSTEAD)

    command = authorization = timeline = handoffs = authorizations = commands = troubles = ids = _reject
