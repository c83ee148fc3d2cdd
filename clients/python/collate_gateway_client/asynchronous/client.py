"""The client: one method for each operation that services and their staff need.

Fields have the names of the API, so the reference is the OpenAPI document that the gateway serves at /openapi.json.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import httpx

from collate_gateway_client import operations
from collate_gateway_client.asynchronous.authorize import AsyncCredential
from collate_gateway_client.asynchronous.batches import AsyncBatches
from collate_gateway_client.asynchronous.commands import AsyncCommands
from collate_gateway_client.asynchronous.event_stream import SILENCE_SECONDS, AsyncEventStream
from collate_gateway_client.asynchronous.reads import AsyncReads
from collate_gateway_client.asynchronous.sender import AsyncSender
from collate_gateway_client.calls import Answer, Call
from collate_gateway_client.connections import LIMITS, MOST_BYTES, tls
from collate_gateway_client.progress import StreamProgress
from collate_gateway_client.retries import RetryPolicy

_DEFAULT_POLICY = RetryPolicy()
T = TypeVar("T")


class AsyncGateway(AsyncBatches, AsyncCommands, AsyncReads):
    """A gateway, as one caller uses it. Close it, or use it in a block.

    A method that sends a command returns as soon as the command is stored. With `wait` (seconds) it returns the
    outcome, or raises NotFinished. `key` is the Idempotency-Key; without one, each call is a new command. Every
    method raises GatewayProblem and NotAnswered.
    """

    def __init__(
        self,
        base_url: str,
        credential: AsyncCredential | None,
        *,
        retries: RetryPolicy = _DEFAULT_POLICY,
        ca_file: Path | None = None,
        direct: bool = False,
        most_bytes: int = MOST_BYTES,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """Open no connection yet. Raises ValueError for a wrong URL, OSError for a `ca_file` that cannot be read.

        `credential`: an API key, a token, a function that returns a token, or a Signer; None if each call has its own.
        `ca_file`: the only trusted authorities (PEM), instead of the system's. `direct`: use no proxy of the
        environment. `most_bytes`: the largest body of an answer. `http` replaces the HTTP client, and the program
        closes it.
        """
        self._own_http = None
        if http is None:
            http = self._own_http = httpx.AsyncClient(verify=tls(ca_file), trust_env=not direct, limits=LIMITS)
        self._sender = AsyncSender(base_url, credential, retries, http, most_bytes)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, unless the HTTP client is the program's own."""
        if self._own_http is not None:
            await self._own_http.aclose()

    async def send(self, call: Call[T], *, wait: float | None = None) -> Answer[T]:
        """Send a call of `operations`. With `wait` (seconds) the gateway waits once for the outcome of a command."""
        return await self._sender.send(call, wait_seconds=wait)

    async def send_if_changed(self, call: Call[T]) -> Answer[T] | None:
        """Send a call with an `etag`. Return None if the answer is still the one with this ETag."""
        answer = await self._sender.send(call)
        return None if answer.status == 304 else answer

    def stream(
        self, call: Call[Any], headers: Mapping[str, str] | None = None, *, silence: float = SILENCE_SECONDS
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """Open the raw body of an answer for a block: an event stream, or a file. `silence` (seconds) ends it."""
        return self._sender.stream(call, headers or {}, silence)

    def events(
        self,
        *,
        types: Sequence[str] = (),
        authorization_ids: Sequence[str] = (),
        after: str | None = None,
        give_up_after: float | None = None,
        silence: float = SILENCE_SECONDS,
    ) -> AsyncEventStream:
        """Iterate over the events, from now on or behind the position `after`, without an end.

        `give_up_after`: the seconds without a connection after which the last failure is raised.
        """
        query = {"type": types, "authorizationId": authorization_ids}
        call = operations.stream_events(cast("operations.StreamEventsQuery", query))
        progress = StreamProgress(after, is_filtered_by_type=bool(types))
        return AsyncEventStream(self._sender, call, progress, give_up_after=give_up_after, silence=silence)
