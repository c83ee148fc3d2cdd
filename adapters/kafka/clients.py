"""aiokafka clients from settings, for every package but the engine, which creates its own.

aiokafka retries without a limit and can hang while it stops. So put a timeout around each call, and stop a client with
`bounded_stop`. Some of aiokafka's fatal states are AssertionErrors, so never run with `python -O`.
"""

import asyncio
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import IllegalOperation, KafkaConnectionError, KafkaError

from adapters.kafka.aiokafka_internals import (
    accept_fatal_error,
    close_failed_connections,
    connections_of,
    fail_undelivered,
    retrieve_exceptions,
    sender_task,
    stop_consumer,
)
from adapters.kafka.credentials import PasswordFile, RotatingContext, TokenEndpoint, TokenFile
from runtime.settings import KafkaSettings, read_secret

# All errors that a call on a client can raise. TimeoutError is an OSError. AssertionError: the producer is in a state
# that it can't leave. IllegalOperation: an error has already ended the transaction. RuntimeError: uvloop's error for a
# connection that has just been closed.
KafkaFailure: Final[
    tuple[type[Exception], type[Exception], type[AssertionError], type[OSError], type[RuntimeError]]
] = (KafkaError, IllegalOperation, AssertionError, OSError, RuntimeError)


def sentence_of(failure: BaseException) -> str:
    """Return why a call to Kafka failed, in words for an operator."""
    if isinstance(failure, KafkaConnectionError):
        return "no broker accepts a connection"
    return str(failure) or type(failure).__name__


def connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the connection arguments of every aiokafka client: servers, client id, security.

    Passwords, tokens and certificates are read at each new connection, so rotated files need no restart. The exception
    is PLAIN: a client keeps its password until it is closed. From here on a failed connection is closed at once.
    """
    close_failed_connections()
    options: dict[str, Any] = {
        "bootstrap_servers": list(kafka.bootstrap),
        "client_id": kafka.client_id,
        "security_protocol": kafka.security,
    }
    if kafka.security.endswith("SSL"):
        options["ssl_context"] = RotatingContext(kafka)
    if kafka.security.startswith("SASL"):
        options |= {"sasl_mechanism": kafka.mechanism, **_login(kafka)}
    return options


def _login(kafka: KafkaSettings) -> dict[str, Any]:
    if kafka.token_file is not None:
        return {"sasl_oauth_token_provider": _Tokens(TokenFile(kafka.token_file))}
    if kafka.oauth_url is not None and kafka.oauth_client_id is not None and kafka.oauth_client_secret_file is not None:
        endpoint = TokenEndpoint(
            kafka.oauth_url, kafka.oauth_client_id, kafka.oauth_client_secret_file, kafka.oauth_scope
        )
        return {"sasl_oauth_token_provider": _Tokens(endpoint)}
    if kafka.password_file is None:
        return {}
    password: Any = PasswordFile(kafka.password_file)
    if kafka.mechanism == "PLAIN":
        password = read_secret(kafka.password_file).get_secret_value()
    return {"sasl_plain_username": kafka.username, "sasl_plain_password": password}


class _Tokens(AbstractTokenProvider):  # type: ignore[misc] # aiokafka has no types
    """Adapts a token source to aiokafka, which calls it at each login."""

    def __init__(self, source: TokenFile | TokenEndpoint) -> None:
        self._source = source

    async def token(self) -> str:
        return await self._source.token()


def idempotent_producer(kafka: KafkaSettings, *, linger_seconds: float = 0.0) -> AIOKafkaProducer:
    """Create a producer that writes each record once (acks=all). After a failed send, create a new producer."""
    producer = AIOKafkaProducer(
        **connection(kafka),
        **timeouts(),
        enable_idempotence=True,
        acks="all",
        linger_ms=_milliseconds(linger_seconds),
        max_batch_size=256 << 10,
    )
    return accept_fatal_error(producer)


def groupless_consumer(
    kafka: KafkaSettings, *, reset: Literal["earliest", "latest", "none"], is_committed: bool = True
) -> AIOKafkaConsumer:
    """Create a consumer without a group, of committed records or of all; the caller assigns partitions and seeks."""
    return AIOKafkaConsumer(
        **connection(kafka),
        **timeouts(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset=reset,
        isolation_level="read_committed" if is_committed else "read_uncommitted",
        client_rack=kafka.client_rack,
    )


# The client retries a request that a broker does not answer within this time.
REQUEST_SECONDS: Final = 10.0
# Age of the client's metadata about brokers and leaders.
_METADATA_MAX_AGE_MS: Final = 30_000


def timeouts() -> dict[str, int]:
    """Return the arguments for the request timeout and the maximum age of metadata."""
    return {"request_timeout_ms": _milliseconds(REQUEST_SECONDS), "metadata_max_age_ms": _METADATA_MAX_AGE_MS}


# The longest duration of `bounded_stop`: an orderly stop, two cancellations, the close of the connections.
STOP_SECONDS = 4.0


async def bounded_stop(client: AIOKafkaProducer | AIOKafkaConsumer, seconds: float = 2.0) -> bool:
    """Stop a client within `seconds`, else abort it: `stop` waits without a limit for undeliverable records.

    Return whether the client stopped in order. Raises only CancelledError, after the abort.
    """
    if isinstance(client, AIOKafkaProducer):
        retrieve_exceptions(client)
        stopping = asyncio.create_task(client.stop())
    else:
        stopping = asyncio.create_task(stop_consumer(client))
    try:
        await asyncio.wait({stopping}, timeout=seconds)
    finally:
        in_order = stopping.done() and not stopping.cancelled() and stopping.exception() is None
        if not in_order:
            await _abort(client, stopping)
    return in_order


async def _abort(client: AIOKafkaProducer | AIOKafkaConsumer, stopping: asyncio.Task[None]) -> None:
    tasks: list[asyncio.Task[Any]] = [stopping]
    if isinstance(client, AIOKafkaProducer):
        fail_undelivered(client)
        retrieve_exceptions(client)
        if (sender := sender_task(client)) is not None:
            tasks.append(sender)
    # The sender's first cancellation ends its loop, the second the requests that the loop waits for.
    for _ in range(2):
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=0.5)
    closing = asyncio.create_task(connections_of(client).close())
    await asyncio.wait({closing}, timeout=1.0)
    closing.cancel()
    for task in (*tasks, closing):
        if task.done() and not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it: the client is closed because it failed


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1_000)
