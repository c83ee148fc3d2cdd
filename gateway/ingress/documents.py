"""The published documents: GET /openapi.json and /asyncapi.json, without authentication."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from schemas.published import read


def document(path: str) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a document."""
    response = Response(read(path), headers={"access-control-allow-origin": "*"}, media_type="application/json")

    async def serve(_: Request) -> Response:
        return response

    return serve
