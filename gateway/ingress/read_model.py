"""A read of the read model as a response: its problems, its ETag."""

import asyncio
import hashlib
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from adapters.postgres.database import DatabaseAway, NotMigrated
from adapters.postgres.queries import TimelyAuthorizationById
from adapters.postgres.reader import Query, ReadModelBusy, ReadModelReader
from gateway.ingress.api_http.api_problems import ReadModelUnavailable
from gateway.ingress.api_http.context import context_of
from gateway.ingress.commands.claims import ClaimsUnknown
from runtime.http_server.port_problems import Overloaded
from schemas.authorization import ActiveHandoff, AuthorizationRecord
from schemas.model import Model

Result = TypeVar("Result")
# A person waits, so a claim that cannot be read by then is unknown. With the event loop's own delay it stays below 2 s.
CLAIM_SECONDS: Final = 1.5


class ReadModelClaims:
    """The openers and claims of open handoffs, as the read model knows them. Of a late one they are unknown."""

    def __init__(self, reader: ReadModelReader) -> None:
        self._reader = reader

    async def open_handoff(self, authorization_id: str, handoff_id: str, caller: str) -> ActiveHandoff | None:
        """Return an open handoff to a caller within CLAIM_SECONDS. Raises ClaimsUnknown."""
        try:
            async with asyncio.timeout(CLAIM_SECONDS):
                record, is_late = await self._reader.fetch("claim", TimelyAuthorizationById(authorization_id), caller)
        except (DatabaseAway, NotMigrated, ReadModelBusy, TimeoutError):
            raise ClaimsUnknown from None
        if is_late:
            raise ClaimsUnknown
        active = None if record is None else AuthorizationRecord.from_record(record).active_handoff
        return active if active is not None and active.id == handoff_id else None


async def fetch(request: Request, reader: ReadModelReader, name: str, query: Query[Result]) -> Result:
    """Return the query's result to the caller of the request. Raises ReadModelUnavailable and Overloaded."""
    try:
        return await reader.fetch(name, query, context_of(request.scope).caller or "")
    except (DatabaseAway, NotMigrated):
        # The cause may name hosts and users: it is in the log of the database client, for operators only.
        raise ReadModelUnavailable(
            "The read model is not available now. Commands do not need it. Please try again in a few seconds.",
            retry_after_seconds=2,
        ) from None
    except ReadModelBusy:
        raise Overloaded(
            "The read could not be answered in time. It changed nothing. Please try again in a few seconds.",
            retry_after_seconds=1,
        ) from None


def respond(request: Request, model: Model) -> Response:
    """Return 200 with the body's ETag, or 304 if the client has the same body."""
    return respond_json(request, model.to_json())


def respond_json(request: Request, body: bytes) -> Response:
    """Return 200 with the body's ETag, or 304 if the client has the same body."""
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    given = context_of(request.scope).headers.get(b"if-none-match")
    if given is not None and _matches(given.decode("latin-1"), etag):
        return Response(status_code=304, headers={"etag": etag})
    return Response(body, headers={"etag": etag}, media_type="application/json")


def _matches(given: str, etag: str) -> bool:
    # RFC 9110 section 13.1.2: the comparison is weak, so `W/` does not matter.
    return any(item.strip().removeprefix("W/") in {etag, "*"} for item in given.split(","))
