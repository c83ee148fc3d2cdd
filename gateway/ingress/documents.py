"""The published documents, as they are checked in: GET /openapi.json and /asyncapi.json, for anybody."""

from collections.abc import Awaitable, Callable

from gateway.ingress.http.exchange import Answer, Exchange
from schemas.documents.publish import read


def document(path: str) -> Callable[[Exchange], Awaitable[Answer]]:
    """Return the handler that serves a document; it is read once."""
    answer = Answer(200, read(path), [(b"content-type", b"application/json"), (b"access-control-allow-origin", b"*")])

    async def serve(_: Exchange) -> Answer:
        return answer

    return serve
