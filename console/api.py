"""The gateway's API as the signed-in person: the published client, once, bounded in time and size.

No other module of the console imports the client, or sends requests. The outcome of a call is a value: its answer, the
problem that the gateway answered, or that it did not answer.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx
from pydantic import SecretStr

from collate_gateway_client import (
    Answer,
    AsyncGateway,
    Call,
    GatewayProblem,
    NotAnswered,
    RetryPolicy,
    models,
    operations,
    results,
)
from console.person import SignedInPerson
from runtime.settings import ConsoleSettings

__all__ = [
    "Answer",
    "Api",
    "Call",
    "Failure",
    "GatewayProblem",
    "NotAnswered",
    "Outcome",
    "body_of",
    "current_request_id",
    "failure_of",
    "models",
    "operations",
    "results",
]

T = TypeVar("T")
Failure = GatewayProblem | NotAnswered
Outcome = Answer[T] | GatewayProblem | NotAnswered

MOST_BYTES: Final = 8 << 20
SECONDS: Final = 5.0
# The API sends a comment at least every 15 s.
STREAM_SILENCE_SECONDS: Final = 45.0

current_request_id: ContextVar[str] = ContextVar("current_request_id")
"""The id of the request for the page; the API's log line of each call has the same id."""


def body_of(outcome: Outcome[T] | None) -> T | None:
    """Return the body of an answer; None without one."""
    return outcome.body if isinstance(outcome, Answer) else None


def failure_of(outcome: Outcome[object] | None) -> Failure | None:
    """Return why the API did not answer; None if it did, or was not asked."""
    return None if isinstance(outcome, Answer) else outcome


class Api:
    """The API at one address. Use it as an asynchronous context manager."""

    def __init__(
        self, settings: ConsoleSettings, http: httpx.AsyncClient | None = None, *, seconds: float = SECONDS
    ) -> None:
        """`http` replaces the network, in tests; `seconds` is the longest call."""
        self._seconds = seconds
        self._gateway = AsyncGateway(
            settings.api_url or "",
            None,
            # A person is waiting: the person, and no loop, tries again.
            retries=RetryPolicy.none(self._seconds),
            ca_file=settings.api_ca_file,
            # The API is in the same network: no proxy may see a person's token.
            direct=True,
            most_bytes=MOST_BYTES,
            http=http,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._gateway.aclose()

    async def send(self, person: SignedInPerson, call: Call[T], *, wait: float | None = None) -> Outcome[T]:
        """Send a call as a person. With `wait` (seconds) the gateway waits once for the outcome of a command."""
        return await self.send_as(person.credential, call, wait=wait)

    async def send_as(self, credential: SecretStr, call: Call[T], *, wait: float | None = None) -> Outcome[T]:
        """Send a call with a credential."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._gateway.send(_of(credential, call), wait=wait)
        except (TimeoutError, GatewayProblem, NotAnswered, ValueError) as error:
            return self._failure(error)

    async def read_if_changed(self, person: SignedInPerson, call: Call[T], etag: str) -> Outcome[T] | None:
        """Read. Return None if the answer is still the one with this ETag."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._gateway.send_if_changed(replace(_of(person.credential, call), etag=etag))
        except (TimeoutError, GatewayProblem, NotAnswered, ValueError) as error:
            return self._failure(error)

    @asynccontextmanager
    async def stream(
        self, person: SignedInPerson, call: Call[None], headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[AsyncIterator[bytes] | Failure]:
        """Open an event stream for the block: its bytes as they arrive. It ends with the session at the latest."""
        opened: AsyncIterator[bytes] | Failure
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._seconds):
                    response = await stack.enter_async_context(
                        self._gateway.stream(_of(person.credential, call), headers, silence=STREAM_SILENCE_SECONDS)
                    )
                opened = _until(person.ends_at, response)
                if response.status_code != 200:
                    opened = NotAnswered("an answer that is no event stream")
            except (TimeoutError, GatewayProblem, NotAnswered, ValueError) as error:
                opened = self._failure(error)
            yield opened

    def _failure(self, error: Exception) -> Failure:
        match error:
            case GatewayProblem(is_of_the_api=False, status=status):
                return NotAnswered(
                    f"status {status} without an answer of the API; is GATEWAY_CONSOLE__API_URL the ingress?"
                )
            case GatewayProblem() | NotAnswered():
                # Without its traceback, whose frames have the person's credential.
                return error.with_traceback(None)
            case TimeoutError():
                return NotAnswered(f"no answer within {self._seconds:g} s")
            case _:
                return UNSENDABLE


UNSENDABLE: Final = GatewayProblem(
    401, {"type": "urn:collate-gateway:problem:unauthenticated", "title": "The credential can't be sent"}, {}
)
"""The outcome of a call whose credential no header can have, such as a pasted text with a space."""


def _of(credential: SecretStr, call: Call[T]) -> Call[T]:
    return replace(call, credential=credential.get_secret_value(), request_id=current_request_id.get("none"))


async def _until(ends_at: datetime | None, response: httpx.Response) -> AsyncIterator[bytes]:
    seconds = None if ends_at is None else max(0.0, (ends_at - datetime.now(UTC)).total_seconds())
    try:
        async with asyncio.timeout(seconds):
            async for chunk in response.aiter_raw():
                yield chunk
    except (TimeoutError, httpx.HTTPError):
        # The browser opens the stream again, and gets the reason as a response.
        return
