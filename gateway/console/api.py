"""The calls of the gateway's HTTP API, as the person who is signed in. No other file of the console sends requests.

Each call is bounded in time and size, and returns a value of `outcomes`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from gateway.console.outcomes import ApiAnswer, ApiNotReached, ApiOutcome, ApiRefusal, read_outcome
from gateway.console.person import SignedInPerson
from runtime.http_client import ResponseTooLarge, client_tls, closing_failed_tls, reason_of
from runtime.settings import ConsoleSettings

MOST_BYTES: Final = 8 << 20
MOST_CONNECTIONS: Final = 200
# The ingress closes an idle connection after 75 s, a proxy may close it earlier. The console must close it first.
IDLE_CONNECTION_SECONDS: Final = 15.0
# The API sends a comment at least every 15 s.
STREAM_SILENCE_SECONDS: Final = 45.0
_NO_RESPONSE: Final = (TimeoutError, httpx.HTTPError, httpx.InvalidURL)
_LOST_CONNECTION: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)

Query = Mapping[str, str] | Sequence[tuple[str, str]]
current_request_id: ContextVar[str] = ContextVar("current_request_id")
"""The id of the request for the page; the API's log line of each call has the same id."""


@dataclass(frozen=True, slots=True)
class ApiStream:
    """An open event stream. `chunks` are the bytes as they arrive; they end with the session or the stream."""

    chunks: AsyncIterator[bytes]
    headers: Mapping[str, str]


def api_path(*segments: str) -> str:
    """Return a path of the API, each segment quoted: `api_path("v1", "authorizations", id, "timeline")`."""
    return "/" + "/".join(_DOTS.get(one) or quote(one, safe="") for one in segments)


_DOTS: Final = {".": "%2E", "..": "%2E%2E"}


def _network(settings: ConsoleSettings) -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(
        verify=client_tls(settings.api_ca_file),
        trust_env=False,
        limits=httpx.Limits(
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=MOST_CONNECTIONS // 4,
            keepalive_expiry=IDLE_CONNECTION_SECONDS,
        ),
    )


class Api:
    """The API at one address. Close it, or use it as an asynchronous context manager."""

    def __init__(self, settings: ConsoleSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` replaces the network, in tests."""
        self._seconds = settings.api_timeout.total_seconds()
        self._client = httpx.AsyncClient(
            base_url=settings.api_url or "",
            timeout=self._seconds,
            # The API is in the same network: no proxy may see a person's token.
            trust_env=False,
            follow_redirects=False,
            transport=transport or _network(settings),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(
        self,
        person: SignedInPerson,
        path: str,
        query: Query | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> ApiOutcome:
        """Read. A lost connection is tried once more."""
        return await self.send("GET", path, person.credential, query=query, headers=headers)

    async def post(
        self,
        person: SignedInPerson,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ApiOutcome:
        """Send a command or a live call, once. `body` becomes JSON; None sends `{}`."""
        named = dict(headers or {}) | ({"Idempotency-Key": idempotency_key} if idempotency_key else {})
        return await self.send("POST", path, person.credential, body=body or {}, headers=named)

    async def send(
        self,
        method: str,
        path: str,
        credential: SecretStr,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ApiOutcome:
        """Send one request with a credential and return its outcome."""
        request = self._request(method, path, credential, query=query, body=body, headers=headers)
        try:
            async with asyncio.timeout(self._seconds):
                response, content = await self._exchange(request)
        except _NO_RESPONSE as error:
            return self._not_reached(error)
        return read_outcome(response.status_code, response.headers, content)

    @asynccontextmanager
    async def stream(
        self,
        person: SignedInPerson,
        path: str,
        query: Query | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[ApiStream | ApiRefusal | ApiNotReached]:
        """Open an event stream for the block. It ends with the person's session at the latest."""
        more = {"Accept": "text/event-stream"} | dict(headers or {})
        request = self._request("GET", path, person.credential, query=query, headers=more)
        request.extensions["timeout"] = httpx.Timeout(self._seconds, read=STREAM_SILENCE_SECONDS).as_dict()
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._client.send(request, stream=True)
        except _NO_RESPONSE as error:
            yield self._not_reached(error)
            return
        try:
            if response.status_code == 200:
                yield ApiStream(_until(person.ends_at, response.aiter_raw()), response.headers)
            else:
                outcome = await self._read_refused(response)
                yield outcome
        finally:
            await response.aclose()

    async def _read_refused(self, response: httpx.Response) -> ApiRefusal | ApiNotReached:
        try:
            async with asyncio.timeout(self._seconds):
                outcome = read_outcome(response.status_code, response.headers, await _bounded(response))
        except _NO_RESPONSE as error:
            return self._not_reached(error)
        return ApiNotReached("an answer that is no event stream") if isinstance(outcome, ApiAnswer) else outcome

    def _not_reached(self, error: Exception) -> ApiNotReached:
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            return ApiNotReached(f"no answer within {self._seconds:g} s")
        return ApiNotReached(reason_of(error))

    def _request(
        self,
        method: str,
        path: str,
        credential: SecretStr,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        own = {
            "Authorization": f"Bearer {credential.get_secret_value()}",
            "Accept": "application/json, application/problem+json",
            "X-Request-Id": current_request_id.get("none"),
        }
        params = None if query is None else httpx.QueryParams(query if isinstance(query, Mapping) else list(query))
        return self._client.build_request(
            method,
            path,
            params=params,
            json=None if body is None else dict(body),
            headers=own | dict(headers or {}),
            extensions=closing_failed_tls(),
        )

    async def _exchange(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        for attempts_left in (1, 0):
            try:
                response = await self._client.send(request, stream=True)
                try:
                    return response, await _bounded(response)
                finally:
                    await response.aclose()
            except _LOST_CONNECTION:
                # The API may have closed an idle connection. Only a read can be sent twice without an effect.
                if request.method != "GET" or not attempts_left:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover


async def _bounded(response: httpx.Response) -> bytes:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > MOST_BYTES:
            raise ResponseTooLarge(f"the answer is larger than {MOST_BYTES} bytes")
    return bytes(content)


async def _until(ends_at: datetime | None, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    seconds = None if ends_at is None else max(0.0, (ends_at - datetime.now(UTC)).total_seconds())
    try:
        async with asyncio.timeout(seconds):
            async for chunk in chunks:
                yield chunk
    except (TimeoutError, httpx.HTTPError):
        # The browser opens the stream again, and gets the reason as a response.
        return
