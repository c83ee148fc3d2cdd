"""Clients of Kafka, made from settings, for every room but the engine, which makes its own.

aiokafka retries for ever and can hang when it stops: whoever awaits one of these clients puts a time-out around it and
stops it with `bounded_stop`. Some of its fatal states are AssertionErrors, so never run with `python -O`.
"""

import asyncio
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import IllegalOperation, KafkaError

from adapters.kafka.aiokafka_internals import connections_of, fail_undelivered, retrieve_exceptions, sender_task
from adapters.kafka.credentials import PasswordFile, RotatingContext, TokenEndpoint, TokenFile
from runtime.settings import KafkaSettings, read_secret

# What a call on a client may raise; asyncio's own TimeoutError is an OSError. aiokafka raises AssertionError where its
# producer is in a state that it can't leave, IllegalOperation for a step of a transaction that an error has ended under
# us, uvloop RuntimeError for a connection just closed under aiokafka.
KafkaFailure = (KafkaError, IllegalOperation, AssertionError, OSError, RuntimeError)


def connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the arguments that every aiokafka client takes: where, who, how secured.

    Passwords, tokens and certificates are read at each new connection, so that rotated files need no restart (except
    for PLAIN, whose password a client keeps for its life).
    """
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
    """A source of bearer tokens as aiokafka wants it; asked at each login."""

    def __init__(self, source: TokenFile | TokenEndpoint) -> None:
        self._source = source

    async def token(self) -> str:
        return await self._source.token()


def idempotent_producer(
    kafka: KafkaSettings, *, linger_seconds: float = 0.0, max_batch_bytes: int = 256 << 10
) -> AIOKafkaProducer:
    """Make a producer whose retries are written once (acks=all). A failed send breaks it: build a new one."""
    return AIOKafkaProducer(
        **connection(kafka),
        **patience(kafka),
        enable_idempotence=True,
        acks="all",
        linger_ms=_milliseconds(linger_seconds),
        max_batch_size=max_batch_bytes,
    )


def tail_consumer(kafka: KafkaSettings, *, reset: Literal["earliest", "latest", "none"] = "latest") -> AIOKafkaConsumer:
    """Make a reader of committed records without a group; the caller assigns partitions and seeks."""
    return AIOKafkaConsumer(
        **connection(kafka),
        **patience(kafka),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset=reset,
        isolation_level="read_committed",
    )


def patience(kafka: KafkaSettings) -> dict[str, int]:
    """Return the arguments that say how long a client waits for one answer, and how old its picture may get."""
    return {
        "request_timeout_ms": _milliseconds(kafka.request_timeout.total_seconds()),
        "metadata_max_age_ms": _milliseconds(kafka.metadata_max_age.total_seconds()),
    }


async def bounded_stop(client: AIOKafkaProducer | AIOKafkaConsumer, seconds: float = 2.0) -> bool:
    """Stop a client; after `seconds` tear it down instead (it can wait for ever on what can't be delivered).

    Return whether it stopped in an orderly way. Never raises but for the cancellation of the caller, which waits for
    the tearing down as well.
    """
    if isinstance(client, AIOKafkaProducer):
        retrieve_exceptions(client)
    stopping = asyncio.create_task(client.stop())
    try:
        await asyncio.wait({stopping}, timeout=seconds)
    finally:
        orderly = stopping.done() and not stopping.cancelled() and stopping.exception() is None
        if not orderly:
            await _tear_down(client, stopping)
    return orderly


async def _tear_down(client: AIOKafkaProducer | AIOKafkaConsumer, stopping: asyncio.Task[None]) -> None:
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
